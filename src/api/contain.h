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

/*
 * Runs a function that does not write for rows 0 to n - 1. A subtransaction holds all rows up to the next one
 * that fails; that one's error goes to fail, and the rest goes on in another.
 */
extern void
mbr_contain_each(MbrSession *session, MbrContainMode mode, int n, void (*run)(void *argument, int row),
                 void (*fail)(void *argument, int row, ErrorData *error), void *argument);

#endif
