/* adjust.h - points given and corrected by hand. */
#ifndef MBR_ENGINE_ADJUST_H
#define MBR_ENGINE_ADJUST_H

#include "engine/work.h"

/*
 * Posts a signed number of points as one event of the verb; settle first. A credit is active from active_at
 * and dies at expires_at; a debit takes the earliest expiry first. Returns the balance after the event,
 * before what the same call finds dead.
 */
extern int64_t mbr_adjust(MbrWork *work, MbrVerb verb, int64_t points, int64_t active_at, int64_t expires_at,
                          const char *reason);

#endif
