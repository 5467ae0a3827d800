/* event.h - verbs that change a member without moving points by themselves. */
#ifndef MBR_API_EVENT_H
#define MBR_API_EVENT_H

#include "postgres.h"

#include "store/load.h"

/* Enters, locks and loads a member for a change now; a closed one is refused unless allowed. Of a
 * merged member it is the survivor, and *member_id becomes its number. */
extern void
mbr_change_begin(MbrSession *session, int64 *member_id, bool closed_too, MbrLoad *load, MbrWork *work);
/* Posts the change as an event without points. */
extern void
mbr_change_post(MbrSession *session, MbrLoad *load, MbrWork *work, MbrVerb verb, const char *reason);

#endif
