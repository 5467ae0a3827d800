/*
 * load.c - lock, then load.
 *
 * The lock is a statement of its own: read in one statement with the lock, or with a snapshot from before it,
 * the rows other than the locked one would be stale after a wait.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "engine/ledger.h"
#include "store/load.h"
#include "store/plan.h"
#include "store/verb.h"
#include "util/calendar.h"
#include "util/error.h"
#include "util/money.h"

static void
no_member(int64 member_id)
{
    ereport(ERROR, (errcode(MBR_ERR_NO_MEMBER), errmsg("member " INT64_FORMAT " does not exist", member_id),
                    errdetail("No member was enrolled under this number."),
                    errhint("Look the member up with find_member(kind, value).")));
}

static void
lock_member(MbrSession *session, int64 member_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    if (mbr_plan_run(session, MBR_PLAN_LOCK, &args) == 0)
        no_member(member_id);
}

static void
check_not_ahead(int64 moment, int64 clock, const MbrConfig *config, const char *what)
{
    if (moment > clock + config->max_future)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s lies in the future", what),
                 errdetail("It is %s, and may be at most %d seconds ahead of %s.",
                           pstrdup(timestamptz_to_str(moment)), (int)(config->max_future / USECS_PER_SEC),
                           pstrdup(timestamptz_to_str(clock))),
                 errhint("Check the caller's clock, or raise program.max_future.")));
}

int64
mbr_posting_time(MbrSession *session, const MbrConfig *config, int64 at)
{
    int64 clock = GetCurrentTimestamp();

    if (at == MBR_NEVER)
        return clock;
    if (at < clock && !mbr_is_operator(session, config))
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("at lies in the past"),
                        errdetail("Only operators may post with an earlier time."),
                        errhint("Leave at out, or ask for grant_access(role, 'operator').")));
    check_not_ahead(at, clock, config, "at");
    return at;
}

/* Posting time is never before the member's last posting. */
static void
date_work(MbrSession *session, const MbrLoad *load, MbrWork *work)
{
    int64 clock = GetCurrentTimestamp();

    work->posted_at = Max(mbr_posting_time(session, load->config, load->at), work->member.last_posted_at);
    work->occurred_at = load->occurred_at == MBR_NEVER ? work->posted_at : load->occurred_at;
    if (load->occurred_at != MBR_NEVER) {
        check_not_ahead(work->occurred_at, clock, load->config, "occurred_at");
        check_not_ahead(work->occurred_at, work->posted_at, load->config, "occurred_at");
    }
}

/* The days of the tier window: those after *after, up to *until. */
static void
tier_window(const MbrConfig *config, int64 posted_at, int64 occurred_at, DateADT *after, DateADT *until)
{
    *until = mbr_day_of(Max(posted_at, occurred_at), config->zone);
    *after = mbr_add_months(*until, -config->window_months);
}

static void
read_state(MbrSession *session, MbrLoad *load, MbrWork *work, DateADT after, DateADT until, int64 occurred_at)
{
    MbrMember *member = &work->member;
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, load->member_id);
    mbr_arg_time(&args, occurred_at);
    mbr_arg_date(&args, after);
    mbr_arg_date(&args, until);
    if (mbr_plan_run(session, MBR_PLAN_LOAD, &args) == 0)
        no_member(load->member_id);
    *member = (MbrMember){.member_id = load->member_id,
                          .status = mbr_member_status_of(mbr_col_text(0, 2)),
                          .tier_id = mbr_col_int4(0, 3, 0),
                          .tier_since = mbr_col_int8(0, 4, 0),
                          .balance = mbr_col_int8(0, 5, 0),
                          .held = mbr_col_int8(0, 6, 0),
                          .debt = mbr_col_int8(0, 7, 0),
                          .next_journal_no = mbr_col_int8(0, 8, 0),
                          .next_entry_no = mbr_col_int8(0, 9, 0),
                          .next_expiry = mbr_col_int8(0, 10, MBR_NEVER),
                          .last_posted_at = mbr_col_int8(0, 11, 0)};
    load->tier_then = mbr_col_int4(0, 12, member->tier_id);
    work->tier_locked_until = mbr_col_int8(0, 14, MBR_NEVER);
}

/*
 * Repeats the load until it agrees with what it was made by: the configuration's version, and the days of the
 * tier window, which hang on posted_at.
 */
static void
load_state(MbrSession *session, MbrLoad *load, MbrWork *work)
{
    int64 posted_at = load->at == MBR_NEVER ? GetCurrentTimestamp() : load->at;

    load->config = mbr_config_get(session);
    for (;;) {
        int64 occurred_at = load->occurred_at == MBR_NEVER ? posted_at : load->occurred_at;
        DateADT after, until, found_after, found_until;
        int64 version;

        CHECK_FOR_INTERRUPTS();
        tier_window(load->config, posted_at, occurred_at, &after, &until);
        read_state(session, load, work, after, until, occurred_at);
        version = mbr_col_int8(0, 1, 0);
        if (version != load->config->version) {
            load->config = mbr_config_refresh(session, version);
            continue;
        }
        load->window_basis = mbr_col_money(0, 13, load->config->digits);
        date_work(session, load, work);
        tier_window(load->config, work->posted_at, work->occurred_at, &found_after, &found_until);
        load->day = mbr_day_of(work->occurred_at, load->config->zone);
        load->in_window = load->day > found_after && load->day <= found_until;
        if (found_until == until)
            return;
        posted_at = work->posted_at;
    }
}

static void
read_lots(MbrSession *session, MbrLoad *load, MbrWork *work)
{
    MbrMember *member = &work->member;
    MbrArgs args = MBR_NO_ARGS;
    int n = 0;

    member->lots_loaded = load->all_lots || mbr_settle_needed(member, work->posted_at);
    if (member->lots_loaded) {
        mbr_arg_int8(&args, load->member_id);
        n = (int)mbr_plan_run(session, MBR_PLAN_LOAD_LOTS, &args);
    }
    member->max_lots = n + load->new_lots;
    member->nlots = n;
    member->lots = palloc0(sizeof(MbrLot) * Max(member->max_lots, 1));
    for (int i = 0; i < n; i++)
        member->lots[i] = (MbrLot){.lot_no = mbr_col_int8(i, 1, 0),
                                   .journal_no = mbr_col_int8(i, 2, 0),
                                   .granted = mbr_col_int8(i, 3, 0),
                                   .remaining = mbr_col_int8(i, 4, 0),
                                   .held = mbr_col_int8(i, 5, 0),
                                   .active_at = mbr_col_int8(i, 6, 0),
                                   .expires_at = mbr_col_int8(i, 7, MBR_NEVER),
                                   .origin = mbr_verb_of(mbr_col_text(i, 8))};
}

/*
 * Room for what the engine may post: each lot can be opened, pay debt, be spent and expire once, and each of
 * the last three may be an event of its own.
 */
static void
make_room(const MbrLoad *load, MbrWork *work)
{
    int lots = work->member.max_lots;

    work->max_journals = 2 * lots + 2;
    work->journals = palloc0(sizeof(MbrJournal) * work->max_journals);
    work->max_entries = 6 * lots + 2;
    work->entries = palloc0(sizeof(MbrEntry) * work->max_entries);
    work->max_splits = load->new_splits;
    work->splits = palloc0(sizeof(MbrSplit) * Max(work->max_splits, 1));
}

void
mbr_load(MbrSession *session, MbrLoad *load, MbrWork *work)
{
    memset(work, 0, sizeof(*work));
    if (load->lock)
        lock_member(session, load->member_id);
    load_state(session, load, work);
    read_lots(session, load, work);
    make_room(load, work);
    work->allow_debt = load->config->allow_debt;
    work->tiers = load->config->tiers;
    work->ntiers = load->config->ntiers;
}
