/* evaluate.c - the executor over one tuple of values. */
#include "postgres.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "rule/evaluate.h"
#include "rule/settings.h"

/* A tuple of the columns, without values of its own; made once per backend. */
static TupleTableSlot *
get_slot(void)
{
    static TupleTableSlot *slot = NULL;

    if (slot == NULL) {
        MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
        TupleDesc desc = CreateTemplateTupleDesc(MBR_CTX_COUNT);

        for (int i = 0; i < MBR_CTX_COUNT; i++)
            TupleDescInitEntry(desc, i + 1, mbr_context_name(i), mbr_context_type(i), -1, 0);
        slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
        ExecStoreAllNullTuple(slot);
        MemoryContextSwitchTo(old);
    }
    return slot;
}

static void
evaluate(MbrProbe *probe, ExprContext *econtext)
{
    TupleTableSlot *slot = econtext->ecxt_scantuple;

    slot->tts_values = unconstify(MbrContext *, probe->context)->values;
    slot->tts_isnull = unconstify(MbrContext *, probe->context)->isnull;
    probe->holds = mbr_condition_run(probe->condition, econtext, &probe->isnull);
    ResetExprContext(econtext);
}

/* An error that belongs to the data of a purchase. A unit of time that a type does not have is 0A000. */
static bool
belongs_to_data(int sqlstate)
{
    return ERRCODE_TO_CATEGORY(sqlstate) == MAKE_SQLSTATE('2', '2', '0', '0', '0') ||
           ERRCODE_TO_CATEGORY(sqlstate) == MAKE_SQLSTATE('5', '4', '0', '0', '0') ||
           sqlstate == ERRCODE_FEATURE_NOT_SUPPORTED;
}

/* Takes the present error down in its probe, or lets it go on when it is none of data. */
static void
fail(MbrProbe *probes, int n, int failed)
{
    MemoryContext context = CurrentMemoryContext;
    ErrorData *error = CopyErrorData();

    FlushErrorState();
    RollbackAndReleaseCurrentSubTransaction(); /* ours, which an abort above must not meet */
    MemoryContextSwitchTo(context);
    if (failed == n || !belongs_to_data(error->sqlerrcode)) {
        for (int i = 0; i < n; i++)
            mbr_condition_discard(probes[i].condition);
        ReThrowError(error);
    }
    mbr_condition_discard(probes[failed].condition);
    probes[failed].failed = true;
    probes[failed].sqlerrcode = error->sqlerrcode;
    probes[failed].message = pstrdup(error->message);
    FreeErrorData(error);
}

/* Evaluates up to and including the first that fails; returns how many those are. */
static int
evaluate_some(MbrProbe *probes, int n, ExprContext *econtext)
{
    MemoryContext context = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    volatile int done = 0;

    BeginInternalSubTransaction(NULL);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        while (done < n) {
            CHECK_FOR_INTERRUPTS();
            evaluate(&probes[done], econtext);
            done++;
        }
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        fail(probes, n, done);
        done++;
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    CurrentResourceOwner = owner;
    return done;
}

void
mbr_evaluate(MbrProbe *probes, int n)
{
    int level = mbr_settings_pin_evaluate();
    ExprContext *econtext = CreateStandaloneExprContext();
    int done = 0;

    econtext->ecxt_scantuple = get_slot();
    for (int i = 0; i < n; i++) {
        probes[i].holds = probes[i].isnull = probes[i].failed = false;
        probes[i].sqlerrcode = 0;
        probes[i].message = NULL;
    }
    while (done < n)
        done += evaluate_some(probes + done, n - done, econtext);
    FreeExprContext(econtext, true);
    mbr_settings_unpin(level);
}
