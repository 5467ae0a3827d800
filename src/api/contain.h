/* contain.h - an error of one row, caught in a subtransaction. */
#ifndef MBR_API_CONTAIN_H
#define MBR_API_CONTAIN_H

#include "postgres.h"

#include "store/session.h"

/*
 * Runs a function in a subtransaction of its own; returns NULL, or the error that it raised if that is of the
 * kind that belongs to a row (data, constraints, domain, a trigger's RAISE). Any other, such as a cancel, a
 * deadlock or a serialization failure, goes on. With a session, the tables it opened before stay open when
 * the function only reads; a function that writes finds none open, and what it opened is closed inside.
 */
typedef enum MbrContainMode { MBR_CONTAIN_NO_TABLES, MBR_CONTAIN_READ, MBR_CONTAIN_WRITE } MbrContainMode;

extern ErrorData *mbr_contain(MbrSession *session, MbrContainMode mode, void (*run)(void *), void *argument);

#endif
