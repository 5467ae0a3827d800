/* pair.h - two members in one posting. */
#ifndef MBR_API_PAIR_H
#define MBR_API_PAIR_H

#include "postgres.h"

#include "store/load.h"

/* The giver first. */
typedef struct MbrPair {
    MbrLoad loads[2];
    MbrWork works[2];
} MbrPair;

/*
 * Locks both in the order of their numbers, loads and settles them, with all their lots, at one moment:
 * neither's history goes back. False = they are one member by now; only the first is loaded.
 */
extern bool mbr_pair_load(MbrSession *session, MbrPair *pair, int64 from_id, int64 to_id, int64 at);

#endif
