/* pair.c - two members, locked in the order of their numbers. */
#include "postgres.h"

#include "api/pair.h"
#include "engine/ledger.h"
#include "store/alias.h"
#include "util/calendar.h"

/* A member merged since its number was looked up is its survivor. */
static void
lock_both(MbrSession *session, MbrPair *pair, int64 *ids)
{
    bool moved = true;

    mbr_alias_resolve(session, ids, 2);
    while (moved && ids[0] != ids[1]) {
        int first = ids[0] < ids[1] ? 0 : 1;

        moved = false;
        for (int n = 0; n < 2; n++) {
            int i = n == 0 ? first : 1 - first;
            MbrWork *work = &pair->works[i];

            if (!mbr_load_account(session, ids[i], work))
                mbr_raise_no_member(ids[i]);
            moved = moved || work->member.member_id != ids[i];
            ids[i] = work->member.member_id;
        }
    }
    if (ids[0] != ids[1])
        return;
    if (!mbr_load_account(session, ids[0], &pair->works[0]))
        mbr_raise_no_member(ids[0]);
    ids[0] = ids[1] = pair->works[0].member.member_id;
}

bool
mbr_pair_load(MbrSession *session, MbrPair *pair, int64 from_id, int64 to_id, int64 at)
{
    int64 ids[2] = {from_id, to_id};
    const MbrConfig *config;
    MbrWork *works = pair->works;
    int n;

    lock_both(session, pair, ids);
    n = ids[0] == ids[1] ? 1 : 2;
    works[0].member.called_id = from_id;
    config = mbr_load_config(session);
    for (int i = 0; i < n; i++) {
        pair->loads[i] = (MbrLoad){
            .member_id = ids[i], .at = at, .occurred_at = MBR_NEVER, .all_lots = true, .config = config};
        mbr_load_member(session, config, &works[i]);
        mbr_load_posting(session, &pair->loads[i], &works[i]);
    }
    for (int i = 0; i < n; i++) {
        works[i].posted_at = Max(works[0].posted_at, works[n - 1].posted_at);
        works[i].occurred_at = works[i].posted_at;
        works[i].day = works[i].posted_day = mbr_day_of(works[i].posted_at, config->zone);
        works[i].day_place = MBR_PLACE_UNKNOWN;
        mbr_settle(&works[i]);
    }
    return n == 2;
}
