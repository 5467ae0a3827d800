/* clip.h - texts of callers in messages. */
#ifndef MBR_UTIL_CLIP_H
#define MBR_UTIL_CLIP_H

#include "postgres.h"

#include "mb/pg_wchar.h"

/* At most 60 bytes of a text, whole characters, palloc'd. */
static inline char *
mbr_clip(const char *text)
{
    return pnstrdup(text, pg_mbcliplen(text, strlen(text), 60));
}

#endif
