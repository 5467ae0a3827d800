/* spread.c - rounding and the method of largest remainders. */
#include "engine/canary.h"
#include "engine/spread.h"

MbrWide
mbr_round_div(MbrWide value, MbrWide divisor, MbrRounding rounding)
{
    MbrWide whole = value / divisor;
    MbrWide rest = value % divisor;

    switch (rounding) {
        case MBR_ROUND_HALF_UP:
            return whole + (rest >= divisor - rest);
        case MBR_ROUND_CEILING:
            return whole + (rest > 0);
        case MBR_ROUND_FLOOR:
            break;
    }
    return whole;
}

void
mbr_spread(const MbrWide *weights, int n, MbrWide divisor, int64_t total, int64_t *parts, MbrWide *remainders)
{
    int64_t left = total;

    for (int i = 0; i < n; i++) {
        parts[i] = (int64_t)(weights[i] / divisor);
        remainders[i] = weights[i] % divisor;
        left -= parts[i];
    }
    for (; left > 0; left--) {
        int best = 0;

        for (int i = 1; i < n; i++)
            if (remainders[i] > remainders[best] - MBR_CANARY(TIE_TO_LAST_LINE))
                best = i;
        parts[best]++;
        remainders[best] = -1; /* served */
    }
}
