/*
 * parse.c - PostgreSQL's grammar, and a walk over its tree before anything is looked up or run.
 *
 * Analysis already runs the input functions of literals, so types and functions must be known good by name
 * here. What is listed is allowed; anything else, also of a later PostgreSQL, is refused.
 */
#include "postgres.h"

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parser.h"

#include "rule/context.h"
#include "rule/parse.h"
#include "rule/refuse.h"

#define MAX_TEXT 8192
#define MAX_NODES 2000

typedef struct Check {
    ParseState *pstate;
    int nodes;
    List *literals;
} Check;

static const char *const types[] = {"bool",    "int2", "int4", "int8",  "numeric",   "float8",  "text",
                                    "varchar", "date", "time", "jsonb", "timestamp", "interval"};

static const char *const functions[] = {
    /* numbers */
    "abs", "ceil", "ceiling", "div", "floor", "mod", "round", "sign", "sqrt", "trunc",
    /* texts; like_escape, btrim, position and substring are also what their own syntax is turned into */
    "btrim", "char_length", "character_length", "initcap", "left", "length", "like_escape", "lower", "ltrim",
    "position", "right", "rtrim", "split_part", "starts_with", "strpos", "substr", "substring", "upper",
    /* dates */
    "age", "date_part", "date_trunc", "extract", "make_date", "make_time", "make_timestamp",
    /* arrays and jsonb */
    "array_length", "array_position", "cardinality", "jsonb_array_length", "jsonb_typeof", "string_to_array"};

static const char *const operators[] = {
    "=",  "<>", "<",   "<=", ">",   ">=", "+",  "-",  "*",  "/",  "%",   "||",  "&&",   "@>",
    "<@", "->", "->>", "#>", "#>>", "?",  "?|", "?&", "^@", "~~", "!~~", "~~*", "!~~*",
};

static bool
is_listed(const char *name, const char *const *list, int n)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

/* The last part of a name whose only qualification is pg_catalog, or NULL. */
static const char *
plain_name(List *names)
{
    if (list_length(names) == 2 && strcmp(strVal(linitial(names)), "pg_catalog") == 0)
        return strVal(lsecond(names));
    return list_length(names) == 1 ? strVal(linitial(names)) : NULL;
}

static void
check_column(Check *check, ColumnRef *ref)
{
    if (list_length(ref->fields) != 1 || !IsA(linitial(ref->fields), String))
        mbr_refuse(check->pstate, ref->location, "Columns are named without a table; " MBR_HINT_RULES,
                   "only columns of the purchase are allowed in a condition");
    if (mbr_context_find(strVal(linitial(ref->fields))) == MBR_CTX_COUNT)
        mbr_refuse(check->pstate, ref->location,
                   "doc/rules.md lists the columns; texts are written in single quotes.",
                   "column \"%s\" does not exist", strVal(linitial(ref->fields)));
}

static void
check_type(Check *check, TypeName *type)
{
    const char *name = plain_name(type->names);

    if (name == NULL || type->setof || type->pct_type || !is_listed(name, types, lengthof(types))) {
        bool zoned = name != NULL && (strcmp(name, "timestamptz") == 0 || strcmp(name, "timetz") == 0);

        mbr_refuse(check->pstate, type->location, zoned ? MBR_HINT_LOCAL : MBR_HINT_RULES,
                   "type %s is not allowed in a condition", strVal(llast(type->names)));
    }
}

static void
check_function(Check *check, FuncCall *call)
{
    const char *name = plain_name(call->funcname);
    bool is_plain = call->agg_order == NIL && call->agg_filter == NULL && call->over == NULL &&
                    !call->agg_within_group && !call->agg_star && !call->agg_distinct && !call->func_variadic;

    if (name != NULL && is_plain && list_length(call->funcname) == 1 && strcmp(name, "attr_date") == 0)
        call->funcname = list_make2(makeString("membership"), makeString("attr_date"));
    else if (strcmp(strVal(llast(call->funcname)), "age") == 0 && list_length(call->args) == 1)
        mbr_refuse_function(check->pstate, call->location, "age", MBR_HINT_RULES); /* up to today */
    else if (name == NULL || !is_plain || !is_listed(name, functions, lengthof(functions)))
        mbr_refuse_function(check->pstate, call->location, strVal(llast(call->funcname)), MBR_HINT_RULES);
}

static void
check_indirection(Check *check, A_Indirection *node)
{
    ListCell *cell;

    foreach (cell, node->indirection)
        if (!IsA(lfirst(cell), A_Indices))
            mbr_refuse(check->pstate, exprLocation(node->arg), MBR_HINT_RULES,
                       "fields are not allowed in a condition");
}

static void
check_operator(Check *check, A_Expr *expr)
{
    const char *name;

    switch (expr->kind) {
        case AEXPR_OP:
        case AEXPR_OP_ANY:
        case AEXPR_OP_ALL:
            name = plain_name(expr->name);
            if (name == NULL || !is_listed(name, operators, lengthof(operators)))
                mbr_refuse(check->pstate, expr->location,
                           strchr(strVal(llast(expr->name)), '~') != NULL ? MBR_HINT_REGEX : MBR_HINT_RULES,
                           "operator %s is not allowed in a condition", strVal(llast(expr->name)));
            break;
        case AEXPR_DISTINCT:
        case AEXPR_NOT_DISTINCT:
        case AEXPR_NULLIF:
        case AEXPR_IN:
        case AEXPR_LIKE:
        case AEXPR_ILIKE:
        case AEXPR_BETWEEN:
        case AEXPR_NOT_BETWEEN:
        case AEXPR_BETWEEN_SYM:
        case AEXPR_NOT_BETWEEN_SYM:
            break;
        case AEXPR_SIMILAR:
            mbr_refuse(check->pstate, expr->location, MBR_HINT_REGEX,
                       "SIMILAR TO is not allowed in a condition");
    }
}

static void
refuse_node(Check *check, Node *node)
{
    int location = exprLocation(node);

    switch (nodeTag(node)) {
        case T_SubLink:
            mbr_refuse(check->pstate, location, "Use tags and attributes that your application keeps.",
                       "subqueries are not allowed in a condition");
            break;
        case T_SQLValueFunction:
            mbr_refuse(check->pstate, ((SQLValueFunction *)node)->location,
                       "Use occurred_at or occurred_on, the time and day of the purchase.",
                       "clock and session are not allowed in a condition");
            break;
        case T_ParamRef:
            mbr_refuse(check->pstate, location, MBR_HINT_RULES, "parameters are not allowed in a condition");
            break;
        case T_RowExpr:
            mbr_refuse(check->pstate, location, "Compare the values one by one.",
                       "rows are not allowed in a condition");
            break;
        default:
            mbr_refuse(check->pstate, location, MBR_HINT_RULES,
                       "this construct is not allowed in a condition");
    }
}

static bool
check_node(Node *node, void *context)
{
    Check *check = context;

    if (node == NULL)
        return false;
    if (!IsA(node, List) && ++check->nodes > MAX_NODES)
        mbr_refuse(check->pstate, exprLocation(node), "Split it into several rules.",
                   "the condition has more than %d parts", MAX_NODES);
    switch (nodeTag(node)) {
        case T_List:
        case T_BoolExpr:
        case T_NullTest:
        case T_BooleanTest:
        case T_CaseExpr:
        case T_CaseWhen:
        case T_CoalesceExpr:
        case T_MinMaxExpr:
        case T_A_ArrayExpr:
        case T_A_Indices:
        case T_TypeCast:
        case T_Integer: /* bounds of an array's type */
            break;
        case T_A_Const:
            if (!((A_Const *)node)->isnull && IsA(&((A_Const *)node)->val, BitString))
                refuse_node(check, node);
            if (!((A_Const *)node)->isnull && IsA(&((A_Const *)node)->val, String))
                check->literals = lappend(check->literals, node);
            break;
        case T_ColumnRef:
            check_column(check, (ColumnRef *)node);
            break;
        case T_TypeName:
            check_type(check, (TypeName *)node);
            break;
        case T_FuncCall:
            check_function(check, (FuncCall *)node);
            break;
        case T_A_Indirection:
            check_indirection(check, (A_Indirection *)node);
            break;
        case T_A_Expr:
            check_operator(check, (A_Expr *)node);
            break;
        default:
            refuse_node(check, node);
    }
    return raw_expression_tree_walker(node, check_node, context);
}

/* The one expression of the text. */
static Node *
parse_expression(ParseState *pstate, int *shift)
{
    const char *text = pstate->p_sourcetext;
    List *parsed = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
    SelectStmt *statement = castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt);
    SelectStmt *bare = makeNode(SelectStmt);
    ResTarget *target;

    if (statement->targetList == NIL)
        mbr_refuse(pstate, -1, "Leave it NULL for a rule without condition.", "the condition is empty");
    /* what may follow or precede an expression in a query is wrong inside parentheses, and reported there */
    *shift = 1;
    (void)raw_parser(psprintf("(%s\n)", text), RAW_PARSE_PLPGSQL_EXPR);
    *shift = 0;
    if (list_length(statement->targetList) > 1)
        mbr_refuse(pstate, exprLocation(lsecond(statement->targetList)), "Join several with AND or OR.",
                   "a condition is one expression, not a list");
    target = linitial_node(ResTarget, statement->targetList);
    bare->targetList = statement->targetList;
    if (!equal(bare, statement) || target->name != NULL || target->indirection != NIL)
        mbr_refuse(pstate, -1, MBR_HINT_RULES, "a condition is one expression, without clauses");
    return target->val;
}

Node *
mbr_condition_parse(ParseState *pstate, List **literals, int *shift)
{
    Check check = {.pstate = pstate};
    Node *expression;

    if (strlen(pstate->p_sourcetext) > MAX_TEXT)
        mbr_refuse(pstate, -1, "Split it into several rules.", "the condition is longer than %d bytes",
                   MAX_TEXT);
    expression = parse_expression(pstate, shift);
    (void)check_node(expression, &check);
    *literals = check.literals;
    return expression;
}
