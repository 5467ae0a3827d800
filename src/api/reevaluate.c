/* reevaluate.c - lines left, rules asked again, award. */
#include "postgres.h"

#include "api/match.h"
#include "api/reevaluate.h"
#include "util/error.h"
#include "util/money.h"

static bool
asks_again(const MbrSale *sale)
{
    const MbrPurchase *purchase = &sale->event.purchase;

    for (int u = 0; u < purchase->nuses && sale->as_then == 0; u++)
        if (purchase->uses[u].rule->refund_mode == MBR_REFUND_REEVALUATE &&
            purchase->uses[u].outcome != MBR_OUTCOME_NOT_MATCHED)
            return true;
    return false;
}

/* NULL = none is left, or none was known. */
static const char *
quantity_left(const MbrLine *line, const MbrReturned *returned)
{
    int64 left = mbr_line_quantity(line) - returned->quantity;

    return left > 0 ? mbr_rate_text(left, MBR_RATE_DIGITS) : NULL;
}

/* A line that was returned altogether earns nothing, and meets no rule. */
static MbrPurchase *
what_is_left(const MbrPurchase *sale, const MbrReturned *returned)
{
    MbrPurchase *left = palloc(sizeof(MbrPurchase));

    *left = *sale;
    left->amount = 0;
    left->points_wanted = left->base_points = left->growth = 0;
    left->lines = palloc(sizeof(MbrLine) * sale->nlines);
    for (int i = 0; i < sale->nlines; i++) {
        MbrLine *line = &left->lines[i];

        *line = sale->lines[i];
        line->amount -= returned[i].amount;
        line->tendered -= returned[i].value;
        line->eligible = line->eligible && !returned[i].closed;
        line->quantity = quantity_left(&sale->lines[i], &returned[i]);
        left->amount += line->amount;
    }
    mbr_sum_basis(left);
    return left;
}

const MbrPurchase *
mbr_reevaluate(MbrSession *session, const MbrLoad *load, MbrSale *sale, const MbrReturned *returned,
               MbrScratch *scratch)
{
    MbrPurchase *left;

    if (!asks_again(sale))
        return NULL;
    mbr_sale_read_context(session, sale);
    left = what_is_left(&sale->event.purchase, returned);
    mbr_match_again(session, load, &sale->event.purchase, sale->facts, left);
    if (mbr_award(left, scratch) != MBR_OK)
        ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                        errmsg("the award of what is left of the order is out of range"),
                        errdetail("An award has at most " INT64_FORMAT " points.", (int64)MBR_MAX_POINTS),
                        errhint("Refund the whole order.")));
    return left;
}
