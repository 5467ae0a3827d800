/* enroll.h - enrolling a member, for those who enrol many. */
#ifndef MBR_API_ENROLL_H
#define MBR_API_ENROLL_H

#include "postgres.h"

#include "utils/date.h"
#include "utils/jsonb.h"

#include "store/session.h"

typedef struct MbrEnrolment {
    const char *kind;
    const char *value; /* in normal form once entered */
    DateADT birthday;
    bool no_birthday;
    const char *source;
    const char *channel;
    const char *referral_code; /* of who invited; NULL = nobody */
    Jsonb *attributes;
    int64 at;

    int64 member_id;
    bool created;
    int64 referrer_id;
} MbrEnrolment;

/* Finds or makes the member of an identity, in an entered session; fills the lower part. */
extern void mbr_enroll(MbrSession *session, MbrEnrolment *call);

#endif
