/*
 * alias.c - reads member_alias.
 *
 * A programme without merged members, or of older tables, is never asked. The first merge is a change of
 * configuration, so whoever has loaded a member since knows; before, the mark on a merged member's account
 * tells.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "store/alias.h"
#include "store/config.h"
#include "store/plan.h"

bool
mbr_alias_any(MbrSession *session)
{
    return mbr_config_get(session)->has_aliases;
}

static bool
find_survivor(MbrSession *session, int64 member_id, int64 *survivor_id)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, member_id);
    if (mbr_plan_run(session, MBR_PLAN_FIND_SURVIVOR, &args) == 0)
        return false;
    *survivor_id = mbr_col_int8(0, 1, 0);
    return true;
}

int64
mbr_alias_survivor(MbrSession *session, int64 member_id)
{
    int64 survivor_id;

    return mbr_alias_any(session) && find_survivor(session, member_id, &survivor_id) ? survivor_id
                                                                                     : member_id;
}

int64
mbr_alias_follow(MbrSession *session, int64 member_id)
{
    int64 survivor_id;

    if (!find_survivor(session, member_id, &survivor_id))
        elog(ERROR, "merged member " INT64_FORMAT " has no survivor", member_id);
    return survivor_id;
}

static Datum
array_of(Datum *values, int n)
{
    return PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}

void
mbr_alias_resolve(MbrSession *session, int64 *ids, int n)
{
    MbrArgs args = MBR_NO_ARGS;
    Datum *values;
    uint64 found;

    if (n == 0 || !mbr_alias_any(session))
        return;
    values = palloc(sizeof(Datum) * n);
    for (int i = 0; i < n; i++)
        values[i] = Int64GetDatum(ids[i]);
    mbr_arg_datum(&args, array_of(values, n), false);
    found = mbr_plan_run(session, MBR_PLAN_FIND_SURVIVORS, &args);
    for (uint64 i = 0; i < found; i++)
        ids[mbr_col_int8(i, 1, 1) - 1] = mbr_col_int8(i, 2, 0);
}

Datum
mbr_alias_numbers(MbrSession *session, int64 member_id)
{
    MbrArgs args = MBR_NO_ARGS;
    uint64 found = 0;
    Datum *numbers;

    mbr_arg_int8(&args, member_id);
    if (mbr_alias_any(session))
        found = mbr_plan_run(session, MBR_PLAN_FIND_ALIASES, &args);
    numbers = palloc(sizeof(Datum) * (found + 1));
    numbers[0] = Int64GetDatum(member_id);
    for (uint64 i = 0; i < found; i++)
        numbers[i + 1] = mbr_col_datum(i, 1);
    return array_of(numbers, (int)found + 1);
}
