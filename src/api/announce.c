/*
 * announce.c - CALL announce_expiry: what is about to die goes to the outbox, once per day and lead time.
 *
 * Members are read without lock, in the batch's snapshot, and settled in memory only, so that what is
 * announced is what expiring_soon shows at that moment.
 */
#include "postgres.h"

#include "fmgr.h"

#include "api/args.h"
#include "api/result.h"
#include "api/sweep.h"
#include "engine/ledger.h"
#include "store/load.h"

PG_FUNCTION_INFO_V1(membership_announce_expiry);

typedef struct Announcement {
    MbrDying *dying;
    int n;
    int max;
} Announcement;

static int64
due_with_lead(MbrSession *session, const MbrSweep *sweep)
{
    return mbr_announce_until(session, sweep->as_of, sweep->distance);
}

static void
add(Announcement *all, int64 member_id, const MbrLot *lot)
{
    if (all->n == all->max)
        all->dying = repalloc_huge(all->dying, sizeof(MbrDying) * (all->max *= 2));
    all->dying[all->n++] = (MbrDying){member_id, lot->expires_at, lot->remaining - lot->held};
}

static void
add_member(MbrSession *reader, const MbrSweep *sweep, const MbrLoad *load, int64 member_id, Announcement *all)
{
    MbrWork work;

    if (!mbr_load_account(reader, member_id, &work))
        return;
    mbr_load_settling(reader, load, &work);
    mbr_settle(&work);
    mbr_raise_refusal(&work);
    for (int i = 0; i < work.member.nlots; i++) {
        const MbrLot *lot = &work.member.lots[i];

        if (lot->expires_at > work.posted_at && lot->expires_at <= sweep->due && lot->remaining > lot->held)
            add(all, member_id, lot);
    }
}

static int
announce(MbrSession *session, MbrSweep *sweep, const int64 *ids, int n, bool wait)
{
    Announcement all = {.dying = palloc(sizeof(MbrDying) * n), .max = n};
    MbrLoad load = {.at = sweep->as_of,
                    .all_lots = true,
                    .extend_to = MBR_NO_EXTENSION,
                    .config = mbr_load_config(session)};
    MbrSession reader = *session;
    int64 members, events;

    reader.read_only = true;
    reader.tables = NULL;
    for (int i = 0; i < n; i++)
        add_member(&reader, sweep, &load, ids[i], &all);
    mbr_tables_close(&reader);
    mbr_announce(session, all.dying, all.n, sweep->distance, &members, &events);
    sweep->members += members;
    sweep->counted += events;
    return n;
}

Datum
membership_announce_expiry(PG_FUNCTION_ARGS)
{
    static const MbrSweepJob job = {"announce_expiry", "events", due_with_lead, mbr_find_due, announce};
    MbrSweep sweep = {.job = &job,
                      .distance = mbr_get_distance(fcinfo, 0, "lead"),
                      .as_of = mbr_get_time(fcinfo, 1, "as_of"),
                      .batch_size = mbr_get_batch_size(fcinfo, 2)};

    return mbr_sweep_run(fcinfo, &sweep);
}
