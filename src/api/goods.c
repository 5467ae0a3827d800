/* goods.c - which goods come back: from amount, lines and quantities to what is returned of each line. */
#include "postgres.h"

#include "utils/builtins.h"

#include "api/json.h"
#include "api/refund.h"
#include "util/error.h"
#include "util/money.h"

static void
refuse_excess(const char *what, const char *left)
{
    ereport(ERROR, (errcode(MBR_ERR_NOTHING_LEFT), errmsg("%s is more than is left of the order", what),
                    errdetail("%s is left.", left),
                    errhint("Refund what is left: without amount and lines it is all of that.")));
}

static void
refuse_line_excess(int line_no, const char *what, const char *left, const char *sold)
{
    ereport(ERROR, (errcode(MBR_ERR_NOTHING_LEFT),
                    errmsg("%s is more than is left of line %d of the order", what, line_no),
                    errdetail("%s of %s is left.", left, sold), errhint("Refund what is left of the line.")));
}

static void
refuse_line(int line_no, const char *why, const char *hint)
{
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("line %d cannot be returned so", line_no),
             errdetail("%s", why), errhint("%s", hint)));
}

static int
find_line(const MbrPurchase *sale, int line_no)
{
    for (int i = 0; i < sale->nlines; i++)
        if (sale->lines[i].line_no == line_no)
            return i;
    return -1;
}

/* Net x the quantity returned so far / quantity, half up, less what was returned before. */
static int64
worth_of(const MbrLine *line, int64 quantity, int64 whole, const MbrReturned *returned)
{
    int64 worth = mbr_share_of(line->amount, Min(returned->quantity + quantity, whole), whole);

    return Max(worth - returned->amount, 0);
}

/* One line's goods; returns what of them could not be applied. */
static int64
return_line(const MbrRefundArgs *args, const MbrReturnArg *arg, const MbrConfig *config,
            const MbrPurchase *sale, MbrReturned *returned, bool *clipped)
{
    int i = find_line(sale, arg->line_no);
    const MbrLine *line = i < 0 ? NULL : &sale->lines[i];
    int64 named = arg->amount == NULL ? 0 : mbr_purchase_amount(arg->amount, config->digits, "line amount");
    int64 amount = named, quantity = arg->quantity, whole, left;

    if (line == NULL && args->clip) {
        *clipped = true;
        return named;
    }
    if (line == NULL)
        refuse_line(arg->line_no, "The order has no such line.", "Check line_no.");
    whole = mbr_line_quantity(line);
    if (quantity > 0 && whole == 0 && arg->amount == NULL) {
        *clipped = true;
        if (args->clip)
            return 0;
        refuse_line(arg->line_no, "The order does not know the line's quantity.", "Pass the goods' amount.");
    }
    if (whole > 0 && returned[i].quantity + quantity > whole) {
        if (!args->clip)
            refuse_line_excess(arg->line_no,
                               psprintf("quantity %s", mbr_rate_text(quantity, MBR_RATE_DIGITS)),
                               mbr_rate_text(whole - returned[i].quantity, MBR_RATE_DIGITS),
                               mbr_rate_text(whole, MBR_RATE_DIGITS));
        *clipped = true;
        quantity = whole - returned[i].quantity;
        amount = mbr_share_of(named, quantity, arg->quantity);
    }
    if (arg->amount == NULL)
        named = amount = quantity == 0 ? 0 : worth_of(line, quantity, whole, &returned[i]);
    left = line->amount - returned[i].amount;
    if (amount > left && !args->clip)
        refuse_line_excess(arg->line_no, mbr_money_text(amount, config->digits),
                           mbr_money_text(left, config->digits),
                           mbr_money_text(line->amount, config->digits));
    *clipped = *clipped || amount > left;
    returned[i].amount += Min(amount, left);
    returned[i].quantity += quantity;
    returned[i].closed =
        returned[i].closed ||
        (returned[i].amount == line->amount &&
         (line->amount > 0 || whole == 0 || arg->quantity == 0 || returned[i].quantity == whole));
    return named - Min(amount, left);
}

int64
mbr_goods_named(const MbrRefundArgs *args, int digits)
{
    int64 sum = 0;

    if (args->amount != NULL)
        return mbr_purchase_amount(args->amount, digits, "amount");
    for (int i = 0; i < args->nlines; i++)
        if (args->lines[i].amount != NULL)
            sum += mbr_purchase_amount(args->lines[i].amount, digits, "line amount");
    return sum;
}

void
mbr_goods_check_sum(const MbrRefundArgs *args, int64 amount, int64 sum, int digits)
{
    if (args->amount != NULL && amount != sum)
        ereport(ERROR,
                (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("amount is not the sum of its lines"),
                 errdetail("The lines add up to %s.", mbr_money_text(sum, digits)),
                 errhint("Leave amount out.")));
}

/* Of one that is clipped, what amount names beyond the lines cannot be applied, either. */
static int64
return_lines(const MbrRefundArgs *args, const MbrConfig *config, const MbrPurchase *sale,
             MbrReturned *returned, bool *clipped)
{
    int64 before = mbr_return_left(sale, returned);
    int64 excess = 0, sum, amount;

    for (int i = 0; i < args->nlines; i++)
        excess += return_line(args, &args->lines[i], config, sale, returned, clipped);
    if (args->amount == NULL)
        return excess;
    sum = before - mbr_return_left(sale, returned) + excess;
    amount = mbr_purchase_amount(args->amount, config->digits, "amount");
    if (!args->clip || amount < sum)
        mbr_goods_check_sum(args, amount, sum, config->digits);
    *clipped = *clipped || amount > sum;
    return excess + amount - sum;
}

/* A line is closed when nothing is left of it; one of net 0 with the last of the order. */
static void
close_lines(const MbrPurchase *sale, MbrReturned *returned)
{
    bool all = mbr_return_left(sale, returned) == 0;

    for (int i = 0; i < sale->nlines; i++)
        if (sale->lines[i].amount > 0 || all)
            returned[i].closed = returned[i].amount == sale->lines[i].amount;
}

static int64
return_amount(const MbrRefundArgs *args, const MbrConfig *config, const MbrPurchase *sale,
              MbrReturned *returned, bool *clipped)
{
    MbrScratch scratch = mbr_purchase_scratch(sale);
    int64 left = mbr_return_left(sale, returned);
    int64 amount = args->amount == NULL ? left : mbr_purchase_amount(args->amount, config->digits, "amount");

    if (amount > left && !args->clip)
        refuse_excess(mbr_money_text(amount, config->digits), mbr_money_text(left, config->digits));
    *clipped = *clipped || amount > left;
    mbr_return_spread(sale, Min(amount, left), returned, &scratch);
    for (int i = 0; i < sale->nlines && args->amount == NULL; i++)
        returned[i].quantity = mbr_line_quantity(&sale->lines[i]);
    return amount - Min(amount, left);
}

static bool
is_complete(const MbrPurchase *sale, const MbrReturned *returned)
{
    for (int i = 0; i < sale->nlines; i++)
        if (!returned[i].closed)
            return false;
    return true;
}

int64
mbr_goods_returned(const MbrRefundArgs *args, const MbrConfig *config, const MbrPurchase *sale,
                   MbrReturned *returned, bool *clipped)
{
    int64 excess;

    *clipped = is_complete(sale, returned);
    if (*clipped && args->clip)
        return mbr_goods_named(args, config->digits);
    if (*clipped)
        ereport(ERROR, (errcode(MBR_ERR_NOTHING_LEFT), errmsg("nothing is left of the order"),
                        errdetail("All of it has been returned."),
                        errhint("Check refund_ref: a repeated refund has that of the first.")));
    excess = args->nlines > 0 ? return_lines(args, config, sale, returned, clipped)
                              : return_amount(args, config, sale, returned, clipped);
    close_lines(sale, returned);
    return excess;
}
