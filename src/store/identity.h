/* identity.h - the directory of identities: who has one, and taking it. */
#ifndef MBR_STORE_IDENTITY_H
#define MBR_STORE_IDENTITY_H

#include "postgres.h"

#include "store/session.h"

/* Who has an identity in normal form; false = nobody. */
extern bool mbr_identity_find(MbrSession *session, const char *kind, const char *value, int64 *member_id);
/* Takes it for a member; false = it is taken. */
extern bool mbr_identity_claim(MbrSession *session, const char *kind, const char *value, int64 member_id);
extern void mbr_identity_delete(MbrSession *session, const char *kind, const char *value, int64 member_id);

#endif
