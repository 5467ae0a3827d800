/*
 * load.c - lock, then load.
 *
 * The lock is a statement of its own: read in one statement with the lock, or with a snapshot from before it,
 * the rows other than the locked one would be stale after a wait.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/ledger.h"
#include "store/load.h"
#include "store/plan.h"
#include "store/table.h"
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

/* The member's points account, locked or as the caller's snapshot has it. */
static MbrTable *
read_account(MbrSession *session, const MbrLoad *load)
{
    MbrTable *account = mbr_table_open(session, MBR_TABLE_ACCOUNT, load->lock);
    Datum key[] = {Int64GetDatum(load->member_id), Int16GetDatum(MBR_WALLET_POINTS)};

    if (!(load->lock ? mbr_table_lock(account, key) : mbr_table_find(account, key)))
        no_member(load->member_id);
    mbr_tables_refresh(session); /* what waits behind the lock is read as it is now */
    return account;
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

static int64
read_config_version(MbrSession *session)
{
    MbrTable *program = mbr_table_open(session, MBR_TABLE_PROGRAM, false);
    Datum key = Int16GetDatum(1);

    return mbr_table_find(program, &key) ? mbr_table_get_int8(program, MBR_PROGRAM_CONFIG_VERSION, 0) : 0;
}

/* The tier at a moment before the present one began, by the history. */
static int
read_past_tier(MbrSession *session, int64 member_id, int64 moment, int64 enrolled_at, int present)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    mbr_arg_time(&args, moment);
    mbr_arg_bool(&args, moment < enrolled_at);
    return mbr_plan_run(session, MBR_PLAN_PAST_TIER, &args) == 0 ? present : mbr_col_int4(0, 1, present);
}

static void
read_member(MbrSession *session, MbrLoad *load, MbrWork *work, int64 occurred_at)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_MEMBER, false);
    MbrMember *member = &work->member;
    Datum key = Int64GetDatum(load->member_id);
    bool isnull;

    if (!mbr_table_find(table, &key))
        no_member(load->member_id);
    member->status =
        mbr_member_status_of(TextDatumGetCString(mbr_table_get(table, MBR_MEMBER_STATUS, &isnull)));
    member->tier_id = DatumGetInt32(mbr_table_get(table, MBR_MEMBER_TIER_ID, &isnull));
    member->tier_since = mbr_table_get_int8(table, MBR_MEMBER_TIER_SINCE, 0);
    work->tier_locked_until = mbr_table_get_int8(table, MBR_MEMBER_TIER_LOCKED_UNTIL, MBR_NEVER);
    load->tier_then = member->tier_id;
    if (occurred_at < member->tier_since)
        load->tier_then =
            read_past_tier(session, load->member_id, occurred_at,
                           mbr_table_get_int8(table, MBR_MEMBER_ENROLLED_AT, 0), member->tier_id);
}

/* Basis spend of the days after one, up to another. */
static int64
read_window(MbrSession *session, const MbrLoad *load, DateADT after, DateADT until)
{
    MbrTable *activity = mbr_table_open(session, MBR_TABLE_ACTIVITY_DAY, false);
    Datum key = Int64GetDatum(load->member_id);
    Datum above = DateADTGetDatum(after);
    int64 sum = 0;

    mbr_table_scan(activity, &key, 1, &above);
    while (mbr_table_next(activity)) {
        bool isnull;

        if (DatumGetDateADT(mbr_table_get(activity, MBR_ACTIVITY_DAY, &isnull)) > until)
            break;
        sum += mbr_money_parse(DatumGetNumeric(mbr_table_get(activity, MBR_ACTIVITY_BASIS, &isnull)),
                               load->config->digits, "stored amount");
    }
    return sum;
}

static void
set_account(MbrMember *member, MbrTable *account)
{
    *member = (MbrMember){
        .member_id = mbr_table_get_int8(account, MBR_ACCOUNT_MEMBER_ID, 0),
        .balance = mbr_table_get_int8(account, MBR_ACCOUNT_BALANCE, 0),
        .held = mbr_table_get_int8(account, MBR_ACCOUNT_HELD, 0),
        .debt = mbr_table_get_int8(account, MBR_ACCOUNT_DEBT, 0),
        .next_journal_no = mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_JOURNAL_NO, 0),
        .next_entry_no = mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_ENTRY_NO, 0),
        .next_expiry = mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_EXPIRY, MBR_NEVER),
        .last_posted_at = mbr_table_get_int8(account, MBR_ACCOUNT_LAST_POSTED_AT, 0),
    };
}

/* Reads what goes with the account; repeated until the configuration is the one of that snapshot. */
static void
load_state(MbrSession *session, MbrLoad *load, MbrWork *work, MbrTable *account)
{
    int64 version;
    DateADT after, until;

    load->config = mbr_config_get(session);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        version = read_config_version(session);
        if (version == load->config->version)
            break;
        load->config = mbr_config_refresh(session, version);
        mbr_tables_refresh(session);
    }
    set_account(&work->member, account);
    date_work(session, load, work);
    read_member(session, load, work, work->occurred_at);
    tier_window(load->config, work->posted_at, work->occurred_at, &after, &until);
    load->day = mbr_day_of(work->occurred_at, load->config->zone);
    load->in_window = load->day > after && load->day <= until;
    load->window_basis = read_window(session, load, after, until);
}

static MbrLot
lot_of(MbrTable *table)
{
    bool isnull;

    return (MbrLot){.lot_no = mbr_table_get_int8(table, MBR_LOT_NO, 0),
                    .journal_no = mbr_table_get_int8(table, MBR_LOT_JOURNAL_NO, 0),
                    .granted = mbr_table_get_int8(table, MBR_LOT_GRANTED, 0),
                    .remaining = mbr_table_get_int8(table, MBR_LOT_REMAINING, 0),
                    .held = mbr_table_get_int8(table, MBR_LOT_HELD, 0),
                    .active_at = mbr_table_get_int8(table, MBR_LOT_ACTIVE_AT, 0),
                    .expires_at = mbr_table_get_int8(table, MBR_LOT_EXPIRES_AT, MBR_NEVER),
                    .origin =
                        mbr_verb_of(TextDatumGetCString(mbr_table_get(table, MBR_LOT_ORIGIN, &isnull)))};
}

/* All open lots if they are needed, and room for new ones. */
static void
read_lots(MbrSession *session, MbrLoad *load, MbrWork *work)
{
    MbrMember *member = &work->member;
    Datum key[] = {Int64GetDatum(load->member_id), Int16GetDatum(MBR_WALLET_POINTS)};
    int room = 0;

    member->max_lots = load->new_lots;
    member->lots = palloc(sizeof(MbrLot) * Max(member->max_lots, 1));
    member->lots_loaded = load->all_lots || mbr_settle_needed(member, work->posted_at);
    if (member->lots_loaded) {
        MbrTable *table = mbr_table_open(session, MBR_TABLE_LOT, false);

        mbr_table_scan(table, key, 2, NULL);
        while (mbr_table_next(table)) {
            if (member->nlots == room) {
                room = Max(2 * room, 16);
                member->lots = repalloc_huge(member->lots, sizeof(MbrLot) * (room + load->new_lots));
            }
            member->lots[member->nlots++] = lot_of(table);
        }
        member->max_lots = member->nlots + load->new_lots;
    }
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
    MbrTable *account = read_account(session, load);

    memset(work, 0, sizeof(*work));
    load_state(session, load, work, account);
    read_lots(session, load, work);
    make_room(load, work);
    work->allow_debt = load->config->allow_debt;
    work->tiers = load->config->tiers;
    work->ntiers = load->config->ntiers;
}
