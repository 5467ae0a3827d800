/* activity.h - what a programme day is to gain. */
#ifndef MBR_ENGINE_ACTIVITY_H
#define MBR_ENGINE_ACTIVITY_H

#include "engine/work.h"

/* The day's row in work, made if need be; NULL and a refusal when there is no room. */
extern MbrActivity *mbr_activity_on(MbrWork *work, int day);

#endif
