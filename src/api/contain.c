/* contain.c - subtransactions around single rows. */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "api/contain.h"
#include "store/table.h"
#include "util/error.h"

static bool
belongs_to_a_row(int sqlstate)
{
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
        case MAKE_SQLSTATE('2', '2', '0', '0', '0'):
        case MAKE_SQLSTATE('2', '3', '0', '0', '0'):
        case MAKE_SQLSTATE('5', '4', '0', '0', '0'):
        case MAKE_SQLSTATE('P', '0', '0', '0', '0'):
            return true;
        case MAKE_SQLSTATE('M', 'B', '0', '0', '0'):
            return sqlstate != MBR_ERR_INTERNAL;
    }
    return false;
}

static void
end_session_part(MbrSession *session, MbrContainMode mode)
{
    if (mode == MBR_CONTAIN_READ)
        mbr_tables_rest(session);
    else if (mode == MBR_CONTAIN_WRITE)
        mbr_tables_close(session);
}

ErrorData *
mbr_contain(MbrSession *session, MbrContainMode mode, void (*run)(void *), void *argument)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    ErrorData *volatile error = NULL;

    BeginInternalSubTransaction(NULL);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        run(argument);
        end_session_part(session, mode);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        error = CopyErrorData();
        FlushErrorState();
        if (!belongs_to_a_row(error->sqlerrcode)) {
            /* the subtransaction is ours, and must not be met by the abort above */
            RollbackAndReleaseCurrentSubTransaction();
            ReThrowError(error);
        }
        if (mode == MBR_CONTAIN_READ)
            mbr_tables_rest(session);
        else if (mode == MBR_CONTAIN_WRITE)
            mbr_tables_forget(session);
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    return error;
}

typedef struct Each {
    void (*run)(void *argument, int row);
    void *argument;
    int row;
    int n;
} Each;

static void
run_rows(void *argument)
{
    Each *each = argument;

    for (; each->row < each->n; each->row++) {
        CHECK_FOR_INTERRUPTS();
        each->run(each->argument, each->row);
    }
}

void
mbr_contain_each(MbrSession *session, MbrContainMode mode, int n, void (*run)(void *argument, int row),
                 void (*fail)(void *argument, int row, ErrorData *error), void *argument)
{
    Each each = {run, argument, 0, n};

    Assert(mode != MBR_CONTAIN_WRITE);
    for (; each.row < n; each.row++) {
        ErrorData *error = mbr_contain(session, mode, run_rows, &each);

        if (error != NULL)
            fail(argument, each.row, error);
    }
}
