/*
 * analyse.c - PostgreSQL's analysis with the columns of a purchase, and a walk over what came of it.
 *
 * Folding runs functions, so everything is checked before it, and once more after it, for what the planner
 * put in place of functions written in SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_expr.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "rule/analyse.h"
#include "rule/context.h"
#include "rule/literal.h"
#include "rule/refuse.h"

typedef struct Check {
    ParseState *pstate;
    List *literals;
    Oid attr_date;
    bool folded;
    Oid refused; /* the function that was found wanting */
} Check;

static Node *
find_column(ParseState *pstate, ColumnRef *ref)
{
    MbrContextColumn column = mbr_context_find(strVal(linitial(ref->fields)));
    Oid type = mbr_context_type(column);
    Var *var = makeVar(1, column + 1, type, -1, get_typcollation(type), 0);

    var->location = ref->location;
    return (Node *)var;
}

static bool
is_allowed_type(Oid type)
{
    switch (type) {
        case BOOLOID:
        case INT2OID:
        case INT4OID:
        case INT8OID:
        case NUMERICOID:
        case FLOAT8OID:
        case TEXTOID:
        case VARCHAROID:
        case DATEOID:
        case TIMEOID:
        case TIMESTAMPOID:
        case INTERVALOID:
        case JSONBOID:
        case BOOLARRAYOID:
        case INT2ARRAYOID:
        case INT4ARRAYOID:
        case INT8ARRAYOID:
        case NUMERICARRAYOID:
        case FLOAT8ARRAYOID:
        case TEXTARRAYOID:
        case VARCHARARRAYOID:
        case DATEARRAYOID:
        case TIMEARRAYOID:
        case TIMESTAMPARRAYOID:
        case INTERVALARRAYOID:
        case JSONBARRAYOID:
        case UNKNOWNOID: /* a literal that nothing gave a type, as in 'x' IS NULL */
            return true;
    }
    return false;
}

/* Whether a function is not to be run; a regular expression is hidden behind substring(text, text). */
static bool
is_unfit_function(Oid function, void *context)
{
    Check *check = context;
    HeapTuple tuple;
    Form_pg_proc form;
    bool fit;

    if (function == check->attr_date)
        return false;
    tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for function %u", function);
    form = (Form_pg_proc)GETSTRUCT(tuple);
    fit = function < FirstGenbkiObjectId && form->provolatile == PROVOLATILE_IMMUTABLE && !form->proretset &&
          !form->prosecdef && (!check->folded || form->prolang == INTERNALlanguageId) &&
          function != F_SUBSTRING_TEXT_TEXT && function != F_SUBSTRING_TEXT_TEXT_TEXT;
    ReleaseSysCache(tuple);
    if (!fit)
        check->refused = function;
    return !fit;
}

/* A value of a type that has units, or NULL for another type. */
static Const *
sample_of(Oid type)
{
    switch (type) {
        case DATEOID:
            return makeConst(type, -1, InvalidOid, sizeof(DateADT), DateADTGetDatum(0), false, true);
        case TIMEOID:
            return makeConst(type, -1, InvalidOid, sizeof(TimeADT), TimeADTGetDatum(0), false,
                             FLOAT8PASSBYVAL);
        case TIMESTAMPOID:
            return makeConst(type, -1, InvalidOid, sizeof(Timestamp), TimestampGetDatum(0), false,
                             FLOAT8PASSBYVAL);
        case INTERVALOID:
            return makeConst(type, -1, InvalidOid, sizeof(Interval),
                             IntervalPGetDatum(palloc0(sizeof(Interval))), false, false);
    }
    return NULL;
}

static void
refuse_function(Check *check, Node *node)
{
    if (IsA(node, CoerceViaIO)) {
        Oid from = exprType((Node *)((CoerceViaIO *)node)->arg);
        Oid to = exprType(node);

        mbr_refuse(
            check->pstate, exprLocation(node),
            sample_of(from) == NULL && sample_of(to) == NULL
                ? MBR_HINT_RULES
                : "attr_date reads a date of the attributes; month, day, hour and extract take one apart.",
            "a cast from %s to %s is not allowed in a condition", format_type_be(from), format_type_be(to));
    }
    if (check->refused == F_SUBSTRING_TEXT_TEXT || check->refused == F_SUBSTRING_TEXT_TEXT_TEXT)
        mbr_refuse(check->pstate, exprLocation(node), MBR_HINT_REGEX,
                   "regular expressions are not allowed in a condition");
    if (IsA(node, FuncExpr))
        mbr_refuse_function(check->pstate, exprLocation(node), get_func_name(check->refused),
                            "Cast its arguments, as in occurred_on::timestamp.");
    mbr_refuse(check->pstate, exprLocation(node), "Cast its arguments, as in hour::text.",
               "an operator is not allowed on values of these types in a condition");
}

/* A node that may stand in an analysed condition. */
static bool
is_allowed_node(Node *node)
{
    switch (nodeTag(node)) {
        case T_Var:
        case T_Const:
        case T_FuncExpr:
        case T_OpExpr:
        case T_DistinctExpr:
        case T_NullIfExpr:
        case T_ScalarArrayOpExpr:
        case T_BoolExpr:
        case T_NullTest:
        case T_BooleanTest:
        case T_CaseExpr:
        case T_CaseTestExpr:
        case T_CoalesceExpr:
        case T_MinMaxExpr:
        case T_RelabelType:
        case T_CoerceViaIO:
        case T_ArrayExpr:
        case T_ArrayCoerceExpr:
        case T_SubscriptingRef:
            return true;
        default:
            return false;
    }
}

/*
 * extract(hour FROM occurred_on) and date_trunc('fortnight', occurred_at) would fail at every purchase, so
 * they are run on a fixed value: their errors are the condition's.
 */
static void
check_unit(Check *check, FuncExpr *call)
{
    const char *name = get_func_name(call->funcid);
    ParseCallbackState position;
    FuncExpr *trial;
    Const *sample;

    if ((strcmp(name, "extract") != 0 && strcmp(name, "date_part") != 0 && strcmp(name, "date_trunc") != 0) ||
        !IsA(linitial(call->args), Const))
        return;
    sample = sample_of(exprType(lsecond(call->args)));
    if (sample == NULL)
        return;
    trial = copyObject(call);
    lsecond(trial->args) = sample;
    setup_parser_errposition_callback(&position, check->pstate, exprLocation(linitial(call->args)));
    (void)eval_const_expressions(NULL, (Node *)trial);
    cancel_parser_errposition_callback(&position);
}

static Oid
operator_of(Node *node)
{
    switch (nodeTag(node)) {
        case T_OpExpr:
        case T_DistinctExpr:
        case T_NullIfExpr:
            return ((OpExpr *)node)->opno;
        case T_ScalarArrayOpExpr:
            return ((ScalarArrayOpExpr *)node)->opno;
        default:
            return InvalidOid;
    }
}

/* What is inside comes first: it is the cause of what is wrong around it. */
static bool
check_node(Node *node, void *context)
{
    Check *check = context;
    Oid type;

    if (node == NULL)
        return false;
    (void)expression_tree_walker(node, check_node, context);
    if (IsA(node, List) || IsA(node, CaseWhen))
        return false;
    if (!is_allowed_node(node))
        mbr_refuse(check->pstate, exprLocation(node), MBR_HINT_RULES,
                   "this construct is not allowed in a condition");
    type = exprType(node);
    if (!is_allowed_type(type))
        mbr_refuse(check->pstate, exprLocation(node),
                   type == TIMESTAMPTZOID || type == TIMETZOID ? MBR_HINT_LOCAL : MBR_HINT_RULES,
                   "type %s is not allowed in a condition", format_type_be(type));
    if (check_functions_in_node(node, is_unfit_function, check) || operator_of(node) >= FirstGenbkiObjectId)
        refuse_function(check, node);
    if (IsA(node, Const) && !check->folded)
        mbr_check_literal(check->pstate, (Const *)node, check->literals);
    if (IsA(node, FuncExpr) && !check->folded)
        check_unit(check, (FuncExpr *)node);
    return false;
}

static void
check_expression(Check *check, Node *expression)
{
    (void)check_node(expression, check);
    if (contain_mutable_functions(expression)) /* nothing should be left for it to find */
        mbr_refuse(check->pstate, -1, MBR_HINT_RULES,
                   "the condition's result would change with time or settings");
}

static Oid
find_attr_date(void)
{
    const Oid arguments[] = {JSONBOID, TEXTOID};

    return LookupFuncName(list_make2(makeString("membership"), makeString("attr_date")), lengthof(arguments),
                          arguments, true);
}

Expr *
mbr_condition_analyse(ParseState *pstate, Node *raw, List *literals)
{
    Check check = {.pstate = pstate, .literals = literals, .attr_date = find_attr_date()};
    Node *expression;

    pstate->p_pre_columnref_hook = find_column;
    expression = transformExpr(pstate, raw, EXPR_KIND_TRIGGER_WHEN);
    expression = coerce_to_boolean(pstate, expression, "condition");
    assign_expr_collations(pstate, expression);
    check_expression(&check, expression);
    expression = (Node *)expression_planner((Expr *)expression);
    check.folded = true;
    check_expression(&check, expression);
    convert_saop_to_hashed_saop(expression);
    return (Expr *)expression;
}
