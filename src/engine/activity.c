/* activity.c - one row a day. */
#include <stddef.h>

#include "engine/activity.h"

MbrActivity *
mbr_activity_on(MbrWork *work, int day)
{
    for (int i = 0; i < work->nactivities; i++)
        if (work->activities[i].day == day)
            return &work->activities[i];
    if (work->nactivities >= work->max_activities) {
        work->refusal = MBR_REFUSED_NO_ROOM;
        return NULL;
    }
    work->activities[work->nactivities] =
        (MbrActivity){.day = day, .place = day == work->day ? work->day_place : MBR_PLACE_UNKNOWN};
    return &work->activities[work->nactivities++];
}
