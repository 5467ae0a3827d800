/* condition.c - from text to something that runs, and every error on the way as MB302. */
#include "postgres.h"

#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_node.h"
#include "utils/memutils.h"

#include "rule/analyse.h"
#include "rule/condition.h"
#include "rule/parse.h"
#include "rule/refuse.h"
#include "rule/settings.h"
#include "util/error.h"

struct MbrCondition {
    MemoryContext context;
    Expr *expression;
    uint64 columns;
    MemoryContext state_context;
    ExprState *state; /* NULL = to be made */
};

typedef struct Compilation {
    const char *text;
    MemoryContext context; /* of all that is made on the way */
    int shift;             /* what positions in the parsed text exceed those in the condition's by */
} Compilation;

static bool
find_columns(Node *node, void *columns)
{
    if (node == NULL)
        return false;
    if (IsA(node, Var))
        *(uint64 *)columns |= UINT64CONST(1) << (((Var *)node)->varattno - 1);
    return expression_tree_walker(node, find_columns, columns);
}

static void
make_state(MbrCondition *condition)
{
    MemoryContext old = MemoryContextSwitchTo(condition->state_context);

    MemoryContextReset(condition->state_context); /* of an attempt that failed */
    condition->state = ExecInitExpr(copyObject(condition->expression), NULL);
    MemoryContextSwitchTo(old);
}

static MbrCondition *
make_condition(Expr *expression)
{
    MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "rule condition", ALLOCSET_SMALL_SIZES);
    MemoryContext old = MemoryContextSwitchTo(context);
    MbrCondition *condition = palloc0(sizeof(MbrCondition));

    condition->context = context;
    condition->expression = copyObject(expression);
    (void)find_columns((Node *)expression, &condition->columns);
    condition->state_context = AllocSetContextCreate(context, "rule condition state", ALLOCSET_SMALL_SIZES);
    make_state(condition); /* asks whether the owner may execute its functions */
    MemoryContextSwitchTo(old);
    return condition;
}

static MbrCondition *
compile(Compilation *compilation)
{
    int level = mbr_settings_pin_compile();
    MemoryContext old = MemoryContextSwitchTo(compilation->context);
    ParseState *pstate = make_parsestate(NULL);
    List *literals;
    Node *raw;
    MbrCondition *condition;

    pstate->p_sourcetext = compilation->text;
    raw = mbr_condition_parse(pstate, &literals, &compilation->shift);
    condition = make_condition(mbr_condition_analyse(pstate, raw, literals));
    MemoryContextSwitchTo(old);
    MemoryContextSetParent(condition->context, old);
    mbr_settings_unpin(level);
    return condition;
}

/* The parser's own complaints, literals that are no values, limits, errors of folded constants. */
static bool
is_of_condition(int sqlstate)
{
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
        case MAKE_SQLSTATE('4', '2', '0', '0', '0'):
        case MAKE_SQLSTATE('2', '2', '0', '0', '0'):
        case MAKE_SQLSTATE('5', '4', '0', '0', '0'):
        case MAKE_SQLSTATE('0', 'A', '0', '0', '0'):
            return true;
    }
    return sqlstate == MBR_ERR_CONDITION;
}

/*
 * Raises the error again as MB302. Its position is one in the condition, not in the statement that the user
 * sent; clients that do not show it find it in the detail.
 */
static void
refuse(const Compilation *compilation, ErrorData *error)
{
    int position = error->cursorpos - compilation->shift;
    int length = pg_mbstrlen(compilation->text);

    if (position > length + 1) { /* the parenthesis that was added */
        position = length + 1;
        error->message = pstrdup("syntax error at end of input");
    }
    if (error->sqlerrcode == ERRCODE_INVALID_DATETIME_FORMAT ||
        error->sqlerrcode == ERRCODE_DATETIME_FIELD_OVERFLOW)
        error->hint = pstrdup(MBR_HINT_TIME);
    error->sqlerrcode = MBR_ERR_CONDITION;
    error->cursorpos = 0;
    error->internalquery = pstrdup(compilation->text);
    if (position > 0) {
        error->internalpos = position;
        error->detail = psprintf("At character %d of the condition.%s%s", position, error->detail ? " " : "",
                                 error->detail ? error->detail : "");
    } else if (error->detail == NULL)
        error->detail = pstrdup("The condition is refused as a whole.");
    if (error->hint == NULL)
        error->hint = pstrdup(MBR_HINT_RULES);
    ReThrowError(error);
}

MbrCondition *
mbr_condition_compile(const char *text)
{
    MemoryContext caller = CurrentMemoryContext;
    Compilation *compilation = palloc0(sizeof(Compilation)); /* not on the stack: read after a longjmp */
    MbrCondition *condition = NULL;

    compilation->text = text;
    compilation->context = AllocSetContextCreate(caller, "compiling a condition", ALLOCSET_DEFAULT_SIZES);
    PG_TRY();
    {
        condition = compile(compilation);
    }
    PG_CATCH();
    {
        ErrorData *error;

        MemoryContextSwitchTo(caller);
        if (!is_of_condition(geterrcode())) {
            MemoryContextDelete(compilation->context);
            PG_RE_THROW();
        }
        error = CopyErrorData();
        FlushErrorState();
        MemoryContextDelete(compilation->context);
        refuse(compilation, error);
    }
    PG_END_TRY();
    MemoryContextDelete(compilation->context);
    pfree(compilation);
    return condition;
}

uint64
mbr_condition_columns(const MbrCondition *condition)
{
    return condition->columns;
}

bool
mbr_condition_run(MbrCondition *condition, ExprContext *econtext, bool *isnull)
{
    if (condition->state == NULL)
        make_state(condition);
    econtext->ecxt_per_query_memory = condition->state_context; /* where IN (...) keeps its hash table */
    return DatumGetBool(ExecEvalExprSwitchContext(condition->state, econtext, isnull)) && !*isnull;
}

void
mbr_condition_discard(MbrCondition *condition)
{
    condition->state = NULL;
    MemoryContextReset(condition->state_context);
}
