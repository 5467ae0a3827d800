/*
 * load.c - lock, then load.
 *
 * The lock is a statement of its own: read in one statement with the lock, or with a snapshot from before it,
 * the rows other than the locked one would be stale after a wait.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "engine/canary.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "store/hold.h"
#include "store/load.h"
#include "store/plan.h"
#include "store/table.h"
#include "store/verb.h"
#include "util/calendar.h"
#include "util/error.h"
#include "util/expiry.h"
#include "util/money.h"

void
mbr_raise_no_member(int64 member_id)
{
    ereport(ERROR, (errcode(MBR_ERR_NO_MEMBER), errmsg("member " INT64_FORMAT " does not exist", member_id),
                    errdetail("No member was enrolled under this number."),
                    errhint("Look the member up with find_member(kind, value).")));
}

static bool
is_merged(MbrTable *account)
{
    return mbr_table_get_int4(account, MBR_ACCOUNT_ORDER_SPENDS) == MBR_MERGED;
}

/* Finds an account, and locks it if the session writes; that of a merged member is not locked. */
static MbrLocked
find_account(const MbrSession *session, MbrTable *account, int64 member_id, bool wait)
{
    Datum key[] = {Int64GetDatum(member_id), Int16GetDatum(MBR_WALLET_POINTS)};

    if (!mbr_table_find(account, key))
        return MBR_NOT_THERE;
    if (session->read_only || is_merged(account) || MBR_CANARY(LOCK_SKIPPED))
        return MBR_LOCKED;
    return mbr_table_lock(account, wait);
}

static void
read_account(MbrTable *account, int64 member_id, int64 called_id, MbrWork *work)
{
    work->member = (MbrMember){
        .member_id = member_id,
        .called_id = called_id,
        .balance = mbr_table_get_int8(account, MBR_ACCOUNT_BALANCE, 0),
        .held = mbr_table_get_int8(account, MBR_ACCOUNT_HELD, 0),
        .debt = mbr_table_get_int8(account, MBR_ACCOUNT_DEBT, 0),
        .next_journal_no = mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_JOURNAL_NO, 0),
        .next_entry_no = mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_ENTRY_NO, 0),
        .next_expiry = mbr_table_get_int8(account, MBR_ACCOUNT_NEXT_EXPIRY, MBR_NEVER),
        .order_spends = mbr_table_get_int4(account, MBR_ACCOUNT_ORDER_SPENDS),
        .last_posted_at = mbr_table_get_int8(account, MBR_ACCOUNT_LAST_POSTED_AT, 0),
        .place = mbr_table_place(account),
    };
}

/* Who waited for a merge holds the merged member's lock, which nobody else will ask for. */
bool
mbr_load_account(MbrSession *session, int64 called_id, MbrWork *work)
{
    MbrTable *account = mbr_table_open(session, MBR_TABLE_ACCOUNT, false);
    int64 member_id = called_id;
    bool found;

    memset(work, 0, sizeof(*work));
    while ((found = find_account(session, account, member_id, true) == MBR_LOCKED) && is_merged(account)) {
        CHECK_FOR_INTERRUPTS();
        member_id = mbr_alias_follow(session, member_id);
    }
    if (found)
        read_account(account, member_id, called_id, work);
    return found;
}

MbrLocked
mbr_load_account_if_free(MbrSession *session, int64 member_id, MbrWork *work)
{
    MbrTable *account = mbr_table_open(session, MBR_TABLE_ACCOUNT, false);
    MbrLocked locked = find_account(session, account, member_id, false);

    memset(work, 0, sizeof(*work));
    if (locked == MBR_LOCKED && is_merged(account))
        return MBR_NOT_THERE; /* its survivor has its points */
    if (locked == MBR_LOCKED)
        read_account(account, member_id, member_id, work);
    return locked;
}

static int
compare_ids(const void *a, const void *b)
{
    int64 left = *(const int64 *)a;
    int64 right = *(const int64 *)b;

    return left < right ? -1 : left > right;
}

/* How many were found; -1 = one was merged since its number was looked up, and has its survivor's now. */
static int
lock_in_order(MbrSession *session, int64 *ids, int n, MbrWork *works)
{
    int found = 0;

    qsort(ids, n, sizeof(int64), compare_ids);
    for (int i = 0; i < n; i++) {
        int64 called_id = ids[i];

        if ((i > 0 && called_id == ids[i - 1]) || !mbr_load_account(session, called_id, &works[found]))
            continue;
        if (works[found].member.member_id != called_id) {
            for (int k = i; k < n && ids[k] == called_id; k++)
                ids[k] = works[found].member.member_id;
            return -1;
        }
        found++;
    }
    return found;
}

int
mbr_lock_members(MbrSession *session, int64 *ids, int n, MbrWork *works)
{
    int found;

    mbr_alias_resolve(session, ids, n);
    do
        found = lock_in_order(session, ids, n, works);
    while (found < 0);
    return found;
}

void
mbr_check_not_ahead(int64 moment, int64 clock, const MbrConfig *config, const char *what)
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
    mbr_check_not_ahead(at, clock, config, "at");
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
        mbr_check_not_ahead(work->occurred_at, clock, load->config, "occurred_at");
        mbr_check_not_ahead(work->occurred_at, work->posted_at, load->config, "occurred_at");
    }
    work->day = mbr_day_of(work->occurred_at, load->config->zone);
    work->posted_day = mbr_day_of(work->posted_at, load->config->zone);
}

/* The days of the tier window: those after *after, up to *until. */
static void
tier_window(const MbrConfig *config, int64 posted_at, int64 occurred_at, DateADT *after, DateADT *until)
{
    *until = mbr_day_of(Max(posted_at, occurred_at), config->zone);
    *after = mbr_add_months(*until, -config->window_months) - MBR_CANARY(WINDOW_A_DAY_LONG);
}

static int64
read_config_version(MbrSession *session)
{
    MbrTable *program = mbr_table_open(session, MBR_TABLE_PROGRAM, false);
    Datum key = Int16GetDatum(1);

    return mbr_table_find(program, &key) ? mbr_table_get_int8(program, MBR_PROGRAM_CONFIG_VERSION, 0) : 0;
}

const MbrConfig *
mbr_load_config(MbrSession *session)
{
    const MbrConfig *config;
    int64 version;

    if (!MBR_CANARY(OLD_SNAPSHOT))
        mbr_tables_refresh(session); /* what lies behind the lock is read as it is now */
    config = mbr_config_get(session);
    while ((version = read_config_version(session)) != config->version && !MBR_CANARY(STALE_CONFIGURATION)) {
        CHECK_FOR_INTERRUPTS();
        config = mbr_config_refresh(session, version);
        mbr_tables_refresh(session);
    }
    return config;
}

void
mbr_load_member(MbrSession *session, const MbrConfig *config, MbrWork *work)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_MEMBER, false);
    MbrMember *member = &work->member;
    Datum key = Int64GetDatum(member->member_id);
    bool isnull;

    if (!mbr_table_find(table, &key))
        mbr_raise_no_member(member->member_id);
    member->status =
        mbr_member_status_of(TextDatumGetCString(mbr_table_get(table, MBR_MEMBER_STATUS, &isnull)));
    member->tier_id = DatumGetInt32(mbr_table_get(table, MBR_MEMBER_TIER_ID, &isnull));
    member->tier_since = mbr_table_get_int8(table, MBR_MEMBER_TIER_SINCE, 0);
    member->enrolled_at = mbr_table_get_int8(table, MBR_MEMBER_ENROLLED_AT, 0);
    work->tier_locked_until = mbr_table_get_int8(table, MBR_MEMBER_TIER_LOCKED_UNTIL, MBR_NEVER);
    work->stored_tier_id = member->tier_id;
    work->stored_tier_since = member->tier_since;
    work->allow_debt = config->allow_debt;
    work->tiers = config->tiers;
    work->ntiers = config->ntiers;
}

/* The tier at the posting's occurred_at: by the changes made here, the tier as stored, then the history. */
static int
tier_then(MbrSession *session, const MbrWork *work)
{
    MbrArgs args = MBR_NO_ARGS;

    for (int i = work->ntier_changes - 1; i >= 0; i--)
        if (work->occurred_at >= work->tier_changes[i].since)
            return work->tier_changes[i].tier->tier_id;
    if (work->occurred_at >= work->stored_tier_since)
        return work->stored_tier_id;
    mbr_arg_int8(&args, work->member.member_id);
    mbr_arg_time(&args, work->occurred_at);
    mbr_arg_bool(&args, work->occurred_at < work->member.enrolled_at);
    return mbr_plan_run(session, MBR_PLAN_PAST_TIER, &args) == 0 ? work->stored_tier_id
                                                                 : mbr_col_int4(0, 1, 0);
}

/* Spend is compared with thresholds, which are smaller: beyond them a sum need not be exact. */
static int64
add_basis(int64 sum, int64 basis)
{
    return Min(sum, MBR_MAX_AMOUNT) + Min(basis, MBR_MAX_AMOUNT);
}

/* The stored activity of the days after one. */
static void
read_days(MbrSession *session, const MbrConfig *config, MbrWork *work, DateADT after)
{
    MbrTable *table = mbr_table_open(session, MBR_TABLE_ACTIVITY_DAY, false);
    Datum key = Int64GetDatum(work->member.member_id);
    Datum above = DateADTGetDatum(after);
    int room = 4;
    bool isnull;

    work->days = palloc(sizeof(MbrDay) * room);
    work->ndays = 0;
    work->days_after = after;
    mbr_table_scan(table, &key, 1, &above);
    while (mbr_table_next(table)) {
        Datum basis = mbr_table_get(table, MBR_ACTIVITY_BASIS, &isnull);

        if (work->ndays == room)
            work->days = repalloc(work->days, sizeof(MbrDay) * (room *= 2));
        work->days[work->ndays++] =
            (MbrDay){.day = DatumGetDateADT(mbr_table_get(table, MBR_ACTIVITY_DAY, &isnull)),
                     .basis = mbr_money_stored(DatumGetNumeric(basis), config->digits),
                     .place = mbr_table_place(table)};
    }
}

void
mbr_load_days(MbrSession *session, const MbrConfig *config, int64 earliest, MbrWork *work)
{
    DateADT after, until;

    tier_window(config, earliest, earliest, &after, &until);
    read_days(session, config, work, after);
}

/* Basis spend of the days after one, up to another: as stored, and as posted here. */
static int64
window_basis(const MbrWork *work, DateADT after, DateADT until)
{
    int64 sum = 0;

    for (int i = 0; i < work->ndays; i++)
        if (work->days[i].day > after && work->days[i].day <= until)
            sum = add_basis(sum, work->days[i].basis);
    for (int i = 0; i < work->nactivities && !MBR_CANARY(BATCH_BLIND); i++)
        if (work->activities[i].day > after && work->activities[i].day <= until)
            sum = add_basis(sum, work->activities[i].basis);
    return sum;
}

static int64
place_of_day(const MbrWork *work)
{
    for (int i = 0; i < work->ndays; i++)
        if (work->days[i].day == work->day)
            return work->days[i].place;
    return work->day > work->days_after ? MBR_PLACE_NONE : MBR_PLACE_UNKNOWN;
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
                    .place = mbr_table_place(table),
                    .origin =
                        mbr_verb_of(TextDatumGetCString(mbr_table_get(table, MBR_LOT_ORIGIN, &isnull)))};
}

/*
 * Until when points live on that would die earlier: as long as points earned now that are active at once. A
 * fixed date extends nothing, and never has nothing to extend to.
 */
static int64
extension_end(const MbrLoad *load, const MbrWork *work)
{
    const MbrConfig *config = load->config;

    if (!load->extends || !config->extend_on_activity || config->expiry.kind == MBR_EXPIRY_NEVER ||
        config->expiry.kind == MBR_EXPIRY_DATE)
        return MBR_NO_EXTENSION;
    return mbr_expiry_end(&config->expiry, work->day, Max(work->posted_at, work->occurred_at),
                          config->min_life_days, config->zone);
}

/*
 * Reads the open lots if the posting needs them and none were read yet; those opened here stay, behind them.
 * There is room for one more array element per lot that the posting may open.
 */
static void
read_lots(MbrSession *session, const MbrLoad *load, MbrWork *work)
{
    MbrMember *member = &work->member;
    Datum key[] = {Int64GetDatum(member->member_id), Int16GetDatum(MBR_WALLET_POINTS)};
    int nopened = member->nlots;
    MbrLot *opened = member->lots;
    int room = nopened + load->new_lots;
    MbrTable *table;

    if (member->lots_loaded ||
        !(load->all_lots || member->order_spends > 0 || mbr_settle_needed(member, work->posted_at) ||
          member->next_expiry < load->extend_to))
        return;
    member->lots_loaded = true;
    member->lots = palloc(sizeof(MbrLot) * Max(room, 1));
    member->nlots = 0;
    table = mbr_table_open(session, MBR_TABLE_LOT, false);
    mbr_table_scan(table, key, 2, NULL);
    while (mbr_table_next(table)) {
        if (member->nlots + nopened + load->new_lots >= room) {
            room = Max(2 * room, 16);
            member->lots = repalloc_huge(member->lots, sizeof(MbrLot) * room);
        }
        member->lots[member->nlots++] = lot_of(table);
    }
    if (nopened > 0)
        memcpy(member->lots + member->nlots, opened, sizeof(MbrLot) * nopened);
    member->nlots += nopened;
    member->max_lots = room;
    if (member->held > 0)
        mbr_hold_load(session, load->config, work);
}

/* Makes an array hold at least that many elements. The old one stays: a batch may go back to it. */
static void *
reserve(void *array, int *max, int needed, Size size)
{
    int room = Max(needed, 2 * *max);
    void *larger;

    if (needed <= *max)
        return array;
    larger = MemoryContextAllocHuge(CurrentMemoryContext, size * room);
    if (array != NULL)
        memcpy(larger, array, size * *max);
    *max = room;
    return larger;
}

/* Each part of a hold can be captured, or pay debt and expire by itself when it is released. */
static int
count_held_parts(const MbrMember *member)
{
    int n = 0;

    for (int i = 0; i < member->nholds; i++)
        n += member->holds[i].nparts;
    return n;
}

/*
 * Room for what the engine may post: each open lot can pay debt, be spent, expire and be extended once, and
 * each may be an event of its own but for extensions, which are one event and open lots anew; each new lot is
 * opened besides. Every event but the first that spends can take from a lot that the one before left over.
 */
void
mbr_load_room(const MbrLoad *load, MbrWork *work)
{
    MbrMember *member = &work->member;
    int parts = count_held_parts(member);
    int lots;

    lots = member->nlots + load->new_lots;
    if (load->extend_to != MBR_NO_EXTENSION)
        lots += member->nlots;
    member->lots = reserve(member->lots, &member->max_lots, lots, sizeof(MbrLot));
    member->queue = reserve(member->queue, &member->max_queue, lots, sizeof(MbrLot *));
    member->holds = reserve(member->holds, &member->max_holds, member->nholds + 1, sizeof(MbrHold));
    work->journals = reserve(work->journals, &work->max_journals,
                             work->njournals + 2 * lots + 2 * member->nholds + parts + load->new_events + 3,
                             sizeof(MbrJournal));
    work->entries = reserve(work->entries, &work->max_entries,
                            work->nentries + 6 * lots + 3 * parts + load->new_events + 2, sizeof(MbrEntry));
    work->splits =
        reserve(work->splits, &work->max_splits, work->nsplits + load->new_splits, sizeof(MbrSplit));
    work->activities = reserve(work->activities, &work->max_activities,
                               work->nactivities + load->new_days + 2, sizeof(MbrActivity));
    work->tier_changes =
        reserve(work->tier_changes, &work->max_tier_changes, work->ntier_changes + 1, sizeof(MbrTierChange));
}

void
mbr_load_posting(MbrSession *session, MbrLoad *load, MbrWork *work)
{
    DateADT after, until;

    date_work(session, load, work);
    load->tier_then = tier_then(session, work);
    tier_window(load->config, work->posted_at, work->occurred_at, &after, &until);
    load->in_window = work->day > after && work->day <= until;
    if (work->days == NULL || after < work->days_after)
        read_days(session, load->config, work, after);
    load->window_basis = window_basis(work, after, until);
    work->day_place = place_of_day(work);
    load->extend_to = extension_end(load, work);
    read_lots(session, load, work);
    mbr_load_room(load, work);
}

void
mbr_load_settling(MbrSession *session, const MbrLoad *load, MbrWork *work)
{
    work->posted_at = work->occurred_at = Max(load->at, work->member.last_posted_at);
    read_lots(session, load, work);
    mbr_load_room(load, work);
}

void
mbr_load(MbrSession *session, MbrLoad *load, MbrWork *work)
{
    if (!mbr_load_account(session, load->member_id, work))
        mbr_raise_no_member(load->member_id);
    load->member_id = work->member.member_id;
    load->config = mbr_load_config(session);
    mbr_load_member(session, load->config, work);
    mbr_load_posting(session, load, work);
}
