/* stack.h - which of the rules that match a purchase count, and which beat which. */
#ifndef MBR_ENGINE_STACK_H
#define MBR_ENGINE_STACK_H

#include "engine/work.h"

/* Fills beaten_by of the matched cells, and of order bonuses. */
extern void mbr_stack(MbrPurchase *purchase);

/* Whether a rule gives points of its own, once for the order. */
extern bool mbr_is_order_bonus(const MbrRule *rule);

#endif
