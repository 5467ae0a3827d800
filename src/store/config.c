/* config.c - reads and keeps the configuration. */
#include "compat.h"

#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "store/config.h"
#include "store/plan.h"
#include "store/verb.h"
#include "util/error.h"
#include "util/money.h"

/* The cache: owned by this file, replaced as a whole, never changed in place. */
static MbrConfig *cached = NULL;
static MemoryContext cached_context = NULL;

static void
run(MbrSession *session, MbrPlan plan)
{
    MbrArgs args = MBR_NO_ARGS;

    (void)mbr_plan_run(session, plan, &args);
}

static void
check_table_version(int version)
{
    if (version < MBR_OLDEST_TABLE_VERSION || version > MBR_TABLE_VERSION)
        ereport(
            ERROR,
            (errcode(MBR_ERR_TABLE_VERSION), errmsg("the programme's tables have version %d", version),
             errdetail("This library serves versions %d to %d.", MBR_OLDEST_TABLE_VERSION, MBR_TABLE_VERSION),
             errhint("Run ALTER EXTENSION membership UPDATE and SELECT membership.upgrade_program(), "
                     "or install a newer library.")));
}

void
mbr_need_tables(const MbrConfig *config, int version)
{
    if (config->table_version < version)
        ereport(ERROR, (errcode(MBR_ERR_TABLE_VERSION),
                        errmsg("this call needs the programme's tables in version %d", version),
                        errdetail("They have version %d.", config->table_version),
                        errhint("Run SELECT membership.upgrade_program().")));
}

static MbrExpiry
expiry_of(const char *text)
{
    MbrExpiry expiry;

    if (!mbr_expiry_parse(text, &expiry))
        elog(ERROR, "unknown expiry policy \"%s\" in a table", text);
    return expiry;
}

static void
read_program(MbrSession *session, MbrConfig *config)
{
    char *zone;

    run(session, MBR_PLAN_PROGRAM);
    if (SPI_processed != 1)
        ereport(ERROR,
                (errcode(MBR_ERR_NO_PROGRAM), errmsg("the programme's row is missing"),
                 errdetail("Table membership.program is empty."), errhint("Restore the row from a backup.")));
    config->program = session->program;
    config->version = mbr_col_int8(0, 1, 0);
    config->table_version = mbr_col_int4(0, 2, 0);
    check_table_version(config->table_version);
    zone = mbr_col_text(0, 3);
    config->zone = pg_tzset(zone);
    if (config->zone == NULL)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("time zone \"%s\" is not known", zone),
                 errdetail("It is the programme's, and this server's time zone data do not have it."),
                 errhint("Install time zone data that have it.")));
    config->digits = DatumGetInt16(mbr_col_datum(0, 4));
    config->currency_scale = mbr_pow10(config->digits);
    config->phone_country = mbr_col_text(0, 5);
    config->base_rate = mbr_col_money(0, 6, MBR_RATE_DIGITS);
    config->rounding = mbr_rounding_of(mbr_col_text(0, 7));
    config->expiry = expiry_of(mbr_col_text(0, 8));
    config->pending_days = mbr_col_int4(0, 9, 0);
    config->claim_days = mbr_col_int4(0, 10, 0);
    config->max_future = mbr_col_int8(0, 11, 0);
    config->allow_debt = mbr_col_bool(0, 12);
    config->window_months = mbr_col_int4(0, 13, 0);
    config->min_life_days = mbr_col_int4(0, 14, 0);
    config->stacking = mbr_stacking_of(mbr_col_text(0, 15));
    config->extend_on_activity = mbr_col_bool(0, 16);
    config->reinstatement_days = mbr_col_int4(0, 17, 0);
    config->transfers = mbr_col_bool(0, 18);
    config->transfer_minimum = mbr_col_int8(0, 19, 0);
    config->transfer_daily_limit = mbr_col_int8(0, 20, MBR_MAX_POINTS);
    config->clawback = mbr_clawback_of(mbr_col_text(0, 21));
    config->charge_cash = mbr_col_bool(0, 22);
    config->liability_price = mbr_col_money(0, 23, MBR_RATE_DIGITS);
}

static void
read_tiers(MbrSession *session, MbrConfig *config)
{
    run(session, MBR_PLAN_TIERS);
    config->ntiers = (int)SPI_processed;
    config->tiers = palloc0(sizeof(MbrTier) * Max(config->ntiers, 1));
    for (int i = 0; i < config->ntiers; i++) {
        config->tiers[i] = (MbrTier){.tier_id = mbr_col_int4(i, 1, 0),
                                     .rank = mbr_col_int4(i, 2, 0),
                                     .multiplier = mbr_col_money(i, 3, MBR_MULTIPLIER_DIGITS),
                                     .qualify_basis = mbr_col_money(i, 4, config->digits),
                                     .validity_months = mbr_col_int4(i, 5, 0),
                                     .code = mbr_col_text(i, 6)};
    }
    if (config->ntiers == 0)
        ereport(ERROR, (errcode(MBR_ERR_NO_TIER), errmsg("the programme has no tier"),
                        errdetail("Table membership.tier is empty."), errhint("Insert at least one tier.")));
}

static void
read_merchants(MbrSession *session, MbrConfig *config)
{
    HASHCTL control = {
        .keysize = sizeof(int), .entrysize = sizeof(MbrMerchant), .hcxt = CurrentMemoryContext};

    run(session, MBR_PLAN_MERCHANTS);
    config->merchants = hash_create("membership merchants", Max((long)SPI_processed, 16), &control,
                                    HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    for (uint64 i = 0; i < SPI_processed; i++) {
        int merchant_id = mbr_col_int4(i, 1, 0);
        MbrMerchant *merchant = hash_search(config->merchants, &merchant_id, HASH_ENTER, NULL);

        *merchant = (MbrMerchant){.merchant_id = merchant_id,
                                  .party_id = mbr_col_int4(i, 2, 0),
                                  .mall_party_id = mbr_col_int4(i, 3, 0),
                                  .pending_days = mbr_col_int4(i, 4, -1),
                                  .opened_on = mbr_col_int4(i, 5, DATEVAL_NOBEGIN),
                                  .ended_on = mbr_col_int4(i, 6, DATEVAL_NOEND),
                                  .mall_id = mbr_col_int4(i, 7, 0),
                                  .brand = mbr_col_text(i, 8),
                                  .category = mbr_col_text(i, 9)};
    }
}

/* Contracts come ordered by merchant, so each merchant's are neighbours. */
static void
read_contracts(MbrSession *session, MbrConfig *config)
{
    MbrContract *contracts;

    run(session, MBR_PLAN_CONTRACTS);
    contracts = palloc0(sizeof(MbrContract) * Max(SPI_processed, 1));
    for (uint64 i = 0; i < SPI_processed; i++) {
        MbrContract *contract = &contracts[i];
        MbrMerchant *merchant;

        *contract = (MbrContract){.merchant_id = mbr_col_int4(i, 1, 0),
                                  .from = mbr_col_int4(i, 2, DATEVAL_NOBEGIN),
                                  .until = mbr_col_int4(i, 3, DATEVAL_NOEND),
                                  .mall_collects = mbr_col_bool(i, 4),
                                  .commission_rate = mbr_col_money(i, 5, MBR_RATE_DIGITS),
                                  .issue_price = mbr_col_money(i, 6, MBR_RATE_DIGITS),
                                  .redemption_price = mbr_col_money(i, 7, MBR_RATE_DIGITS),
                                  .commission_refunded = mbr_col_bool(i, 8)};
        merchant = hash_search(config->merchants, &contract->merchant_id, HASH_FIND, NULL);
        if (merchant == NULL)
            continue;
        if (merchant->ncontracts++ == 0)
            merchant->contracts = contract;
    }
}

static void
read_aliases(MbrSession *session, MbrConfig *config)
{
    if (config->table_version < 2)
        return;
    run(session, MBR_PLAN_ANY_ALIAS);
    config->has_aliases = SPI_processed > 0;
}

/* The functions whose EXECUTE right makes a role an operator, or an application. */
static void
read_functions(MbrSession *session, MbrConfig *config)
{
    run(session, MBR_PLAN_FUNCTIONS);
    config->operator_function = DatumGetObjectId(mbr_col_datum(0, 1));
    config->application_function = DatumGetObjectId(mbr_col_datum(0, 2));
}

/*
 * Reads everything in one snapshot into fresh memory, and only then replaces the cache: an error on the way
 * leaves the old one.
 */
static void
reload(MbrSession *session)
{
    MbrSession reader = *session;
    MemoryContext fresh =
        AllocSetContextCreate(session->context, "membership configuration", ALLOCSET_DEFAULT_SIZES);
    MemoryContext saved = MemoryContextSwitchTo(fresh);
    MbrConfig *config = palloc0(sizeof(MbrConfig));

    config->context = fresh;
    config->rules = palloc0(sizeof(MbrRuleSet *));
    config->burn_rules = palloc0(sizeof(MbrBurnRules *));
    if (!session->read_only) {
        PushCopiedSnapshot(GetTransactionSnapshot());
        UpdateActiveSnapshotCommandId();
    }
    reader.read_only = true;
    read_program(&reader, config);
    read_tiers(&reader, config);
    read_merchants(&reader, config);
    read_contracts(&reader, config);
    read_functions(&reader, config);
    read_aliases(&reader, config);
    if (!session->read_only)
        PopActiveSnapshot();
    MemoryContextSwitchTo(saved);
    MemoryContextSetParent(fresh, CacheMemoryContext);
    if (cached_context !=
        NULL) /* a caller further up may still read it: a trigger of a DBA may call us again */
        MemoryContextSetParent(cached_context, TopTransactionContext);
    cached_context = fresh;
    cached = config;
}

/* A programme made anew starts its versions anew, so the table itself is part of what the cache is of. */
static bool
is_current(const MbrSession *session)
{
    return cached != NULL && cached->program == session->program;
}

const MbrConfig *
mbr_config_get(MbrSession *session)
{
    if (!is_current(session))
        reload(session);
    return cached;
}

const MbrConfig *
mbr_config_refresh(MbrSession *session, int64 version)
{
    if (!is_current(session) || cached->version != version)
        reload(session);
    return cached;
}

const MbrConfig *
mbr_config_current(MbrSession *session)
{
    run(session, MBR_PLAN_CONFIG_VERSION);
    return mbr_config_refresh(session, SPI_processed == 0 ? 0 : mbr_col_int8(0, 1, 0));
}

const MbrMerchant *
mbr_config_merchant(const MbrConfig *config, int merchant_id)
{
    return hash_search(config->merchants, &merchant_id, HASH_FIND, NULL);
}

MbrTerms
mbr_merchant_terms(const MbrMerchant *merchant, DateADT day)
{
    MbrTerms terms = {.merchant_id = merchant->merchant_id,
                      .merchant_party = merchant->party_id,
                      .mall_party = merchant->mall_party_id};

    for (int i = 0; i < merchant->ncontracts; i++) {
        const MbrContract *contract = &merchant->contracts[i];

        if (day >= contract->from && day < contract->until) {
            terms.mall_collects = contract->mall_collects;
            terms.commission_rate = contract->commission_rate;
            terms.issue_price = contract->issue_price;
            terms.redemption_price = contract->redemption_price;
            terms.commission_refunded = contract->commission_refunded;
            break;
        }
    }
    return terms;
}

static bool
may_execute(Oid role, Oid function)
{
    return SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function)) && mbr_may_execute(role, function);
}

bool
mbr_is_operator(const MbrSession *session, const MbrConfig *config)
{
    return may_execute(session->caller, config->operator_function);
}

bool
mbr_may_accrue(const MbrSession *session, const MbrConfig *config)
{
    return may_execute(session->caller, config->application_function);
}
