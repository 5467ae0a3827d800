/* member.h - what others need of members' set-up. */
#ifndef MBR_API_MEMBER_H
#define MBR_API_MEMBER_H

#include "store/config.h"

/* The tier with a code; MB004. */
extern const MbrTier *mbr_need_tier(const MbrConfig *config, const char *code);

#endif
