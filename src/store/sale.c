/* sale.c - reads back what a purchase was judged by; the journal is append-only, so it needs no lock. */
#include "postgres.h"

#include "miscadmin.h"

#include "store/plan.h"
#include "store/sale.h"
#include "store/verb.h"
#include "util/money.h"

static MbrArgs
sale_args(const MbrSale *sale)
{
    MbrArgs args = MBR_NO_ARGS;

    mbr_arg_int8(&args, sale->member_id);
    mbr_arg_int8(&args, sale->event.journal_no);
    return args;
}

static const MbrTerms *
terms_of(const MbrConfig *config, int merchant_id, DateADT day)
{
    const MbrMerchant *merchant = mbr_config_merchant(config, merchant_id);
    MbrTerms *terms = palloc(sizeof(MbrTerms));

    if (merchant == NULL)
        elog(ERROR, "merchant %d of a purchase does not exist", merchant_id);
    *terms = mbr_merchant_terms(merchant, day);
    return terms;
}

static void
read_lines(MbrSession *session, const MbrConfig *config, MbrSale *sale)
{
    MbrPurchase *purchase = &sale->event.purchase;
    MbrArgs args = sale_args(sale);

    purchase->explicit_lines = purchase->frozen_lines != NULL;
    purchase->nlines = (int)mbr_plan_run(session, MBR_PLAN_LOAD_LINES, &args);
    purchase->lines = palloc0(sizeof(MbrLine) * Max(purchase->nlines, 1));
    for (int i = 0; i < purchase->nlines; i++) {
        MbrLine *line = &purchase->lines[i];

        *line = (MbrLine){.line_no = mbr_col_int4(i, 1, 0),
                          .terms = terms_of(config, mbr_col_int4(i, 2, 0), sale->event.day),
                          .amount = mbr_col_money(i, 3, config->digits),
                          .basis = mbr_col_money(i, 4, config->digits),
                          .points = mbr_col_int8(i, 5, 0),
                          .base_points = mbr_col_int8(i, 5, 0),
                          .eligible = mbr_col_bool(i, 6),
                          .tendered = mbr_col_money(i, 7, config->digits),
                          .points_tendered = mbr_col_int8(i, 8, 0),
                          .category = mbr_col_text(i, 9),
                          .brand = mbr_col_text(i, 10),
                          .sku = mbr_col_text(i, 11),
                          .quantity = mbr_col_text(i, 12)};
        purchase->tendered += line->tendered;
        purchase->points_tendered += line->points_tendered;
    }
}

static const MbrRuleVersion *
find_version(const MbrRuleVersion *versions, int n, int rule_id, int version)
{
    for (int i = 0; i < n; i++)
        if (versions[i].rule.rule_id == rule_id && versions[i].rule.version == version)
            return &versions[i];
    elog(ERROR, "version %d of rule %d is gone", version, rule_id);
}

static MbrRuleVersion *
read_versions(MbrSession *session, const MbrSale *sale, int *n)
{
    MbrArgs args = sale_args(sale);
    MbrRuleVersion *versions;

    *n = (int)mbr_plan_run(session, MBR_PLAN_SALE_RULES, &args);
    versions = palloc0(sizeof(MbrRuleVersion) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        mbr_rule_version_read(i, &versions[i]);
    return versions;
}

static int
compare_line_no(const void *line_no, const void *line)
{
    return *(const int *)line_no - ((const MbrLine *)line)->line_no;
}

/* A line's points that no rule gave are those of base rate and tier. */
static void
set_cell(MbrUse *use, int line, MbrPurchase *purchase, int64 points)
{
    use->cells[line].matched = use->outcome != MBR_OUTCOME_NOT_MATCHED;
    use->cells[line].points = points;
    if (use->outcome == MBR_OUTCOME_APPLIED && use->rule->effect != MBR_EFFECT_GROWTH)
        purchase->lines[line].base_points -= points;
}

/* Without a line it is about all eligible ones. */
static void
read_cell(uint64 row, MbrPurchase *purchase, MbrUse *use)
{
    int64 points = mbr_col_int8(row, 6, 0);
    int line_no = mbr_col_int4(row, 5, 0);
    const MbrLine *line;

    CHECK_FOR_INTERRUPTS();
    if (mbr_col_null(row, 5)) {
        for (int i = 0; i < purchase->nlines; i++)
            if (purchase->lines[i].eligible)
                set_cell(use, i, purchase, points);
        return;
    }
    line = bsearch(&line_no, purchase->lines, purchase->nlines, sizeof(MbrLine), compare_line_no);
    if (line == NULL)
        elog(ERROR, "a rule counted on line %d, which its purchase has not", line_no);
    set_cell(use, line - purchase->lines, purchase, points);
}

/* Rows come by rule in the order of their list; one of an order without explicit lines is about its only
 * line. */
static void
read_uses(MbrSession *session, MbrSale *sale)
{
    MbrPurchase *purchase = &sale->event.purchase;
    MbrArgs args = sale_args(sale);
    int nversions, last = 0;
    MbrRuleVersion *versions;
    int n;

    if (purchase->frozen_rules == NULL)
        return;
    versions = read_versions(session, sale, &nversions);
    n = (int)mbr_plan_run(session, MBR_PLAN_SALE_CELLS, &args);
    purchase->uses = palloc(sizeof(MbrUse) * Max(n, 1));
    for (int i = 0; i < n; i++) {
        if (mbr_col_int4(i, 1, 0) != last) {
            const MbrRuleVersion *version =
                find_version(versions, nversions, mbr_col_int4(i, 2, 0), mbr_col_int4(i, 3, 0));

            last = mbr_col_int4(i, 1, 0);
            purchase->uses[purchase->nuses++] =
                (MbrUse){.rule = &version->rule,
                         .outcome = mbr_outcome_of(mbr_col_text(i, 4)),
                         .cells = palloc0(sizeof(MbrCell) * purchase->nlines)};
        }
        read_cell(i, purchase, &purchase->uses[purchase->nuses - 1]);
    }
}

static void
read_review(MbrSession *session, MbrSale *sale)
{
    MbrAccrualStatus status = sale->event.purchase.status;
    MbrArgs args = sale_args(sale);

    sale->granted = status != MBR_ACCRUAL_REVIEW && status != MBR_ACCRUAL_REJECTED;
    if (status != MBR_ACCRUAL_REVIEW)
        return;
    sale->undecided = mbr_plan_run(session, MBR_PLAN_REVIEW_DECISION, &args) == 0;
    if (sale->undecided || mbr_reason_of(mbr_col_text(0, 2)) != MBR_REASON_APPROVED)
        return;
    sale->granted = true;
    sale->approval_no = mbr_col_int8(0, 1, 0);
}

static void
read_exchange(MbrSession *session, const MbrConfig *config, MbrSale *sale)
{
    MbrArgs args = sale_args(sale);

    mbr_arg_int8(&args, sale->event.purchase.refers_to);
    if (sale->event.purchase.refers_to == 0 || mbr_plan_run(session, MBR_PLAN_FIND_EXCHANGE, &args) == 0)
        return;
    sale->as_then = mbr_col_money(0, 1, config->digits);
    sale->taken_before = mbr_col_money(0, 2, config->digits);
}

bool
mbr_sale_read(MbrSession *session, const MbrConfig *config, int64 member_id, int64 journal_no, MbrSale *sale)
{
    *sale = (MbrSale){.member_id = member_id};
    if (!mbr_event_read(session, config, member_id, journal_no, &sale->event) ||
        sale->event.verb != MBR_VERB_ACCRUAL)
        return false;
    read_lines(session, config, sale);
    read_uses(session, sale);
    read_review(session, sale);
    read_exchange(session, config, sale);
    return true;
}

void
mbr_sale_read_context(MbrSession *session, MbrSale *sale)
{
    MbrArgs args = sale_args(sale);

    if (mbr_plan_run(session, MBR_PLAN_LOAD_FACTS, &args) == 0)
        return;
    sale->attributes = mbr_col_jsonb(0, 1);
    sale->facts = mbr_col_jsonb(0, 2);
}

MbrReturned *
mbr_sale_returned(MbrSession *session, const MbrConfig *config, const MbrSale *sale)
{
    const MbrPurchase *purchase = &sale->event.purchase;
    MbrReturned *returned = palloc0(sizeof(MbrReturned) * Max(purchase->nlines, 1));
    MbrArgs args = sale_args(sale);
    int n = (int)mbr_plan_run(session, MBR_PLAN_LAST_REFUND, &args);

    for (int row = 0; row < n; row++) {
        int i = 0;

        while (i < purchase->nlines && purchase->lines[i].line_no != mbr_col_int4(row, 1, 0))
            i++;
        if (i == purchase->nlines)
            elog(ERROR, "a refund is of line %d, which its purchase has not", mbr_col_int4(row, 1, 0));
        returned[i] = (MbrReturned){.amount = mbr_col_money(row, 2, config->digits),
                                    .quantity = mbr_col_money(row, 3, MBR_RATE_DIGITS),
                                    .closed = mbr_col_bool(row, 4),
                                    .value = mbr_col_money(row, 5, config->digits),
                                    .restored = mbr_col_int8(row, 6, 0),
                                    .award = {mbr_col_int8(row, 7, 0), mbr_col_int8(row, 8, 0)},
                                    .growth = {mbr_col_int8(row, 9, 0), mbr_col_int8(row, 10, 0)}};
    }
    return returned;
}

int64_t *
mbr_sale_spent(MbrSession *session, const MbrSale *sale, int *n)
{
    MbrArgs args = sale_args(sale);
    int64_t *spent;

    *n = (int)mbr_plan_run(session, MBR_PLAN_SALE_SPENT, &args);
    spent = palloc(sizeof(int64_t) * Max(*n, 1));
    for (int i = 0; i < *n; i++)
        spent[i] = mbr_col_int8(i, 1, 0);
    return spent;
}
