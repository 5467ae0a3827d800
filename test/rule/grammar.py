"""Random conditions of the documented kind: typed, so that they compile, and prone to NULLs and errors of data."""


class Grammar:
    """With planted, expressions by their kind's letter, boolean() may put some of them in; then has_planted is true."""

    def __init__(self, rng, columns, planted=None):
        self.rng = rng
        self.columns = columns
        self.planted = planted
        self.has_planted = False

    def one(self, depth, leaves, branches):
        """One of the leaves at depth 0, mostly one of the branches above; both are functions of a depth."""
        return self.rng.choice(leaves if depth <= 0 or self.rng.random() < 0.2 else branches)(depth - 1)

    def column(self, *types):
        return self.rng.choice([name for name, sqltype in self.columns.items() if sqltype in types])

    def fill(self, form, depth):
        """Each letter in braces stands for an expression of a type: {i}nteger, {n}umber, {t}ext, ..."""
        kinds = {"b": self.boolean, "i": self.integer, "n": self.number, "t": self.text, "d": self.date, "m": self.moment, "c": self.clock, "v": self.interval,
                 "a": self.array, "j": self.json, "k": self.key, "p": self.pattern, "u": self.unit}
        result, at = "", 0
        while at < len(form):
            if form[at] == "{" and at + 2 < len(form) and form[at + 2] == "}":
                if self.planted and form[at + 1] in self.planted and self.rng.random() < 0.1:
                    result += self.rng.choice(self.planted[form[at + 1]])
                    self.has_planted = True
                else:
                    result += kinds[form[at + 1]](depth)
                at += 3
            else:
                result += form[at]
                at += 1
        return result

    def kind(self, depth, leaves, forms):
        return self.one(depth, leaves, [lambda d, form=form: self.fill(form, d) for form in forms])

    def quoted(self, *texts):
        return "'%s'" % self.rng.choice(texts).replace("'", "''")

    # ------------------------------------------------------------------ types

    def integer(self, depth):
        return self.kind(depth, [lambda d: self.column("integer"), lambda d: str(self.rng.choice([0, 1, 2, 3, 7, 20, 100]))], [
            "({i} + {i})", "({i} - {i})", "({i} * {i})", "({i} / {i})", "({i} % {i})", "(- {i})", "abs({i})", "mod({i}, {i})", "length({t})", "strpos({t}, {t})",
            "cardinality({a})", "coalesce({i}, {i})", "nullif({i}, {i})", "greatest({i}, {i})", "least({i}, {i}, {i})", "CASE WHEN {b} THEN {i} ELSE {i} END",
            "CASE {i} WHEN {i} THEN {i} END", "({d} - {d})", "{t}::int", "round({n})::int", "array_position({a}, {t})", "({j} ->> {k})::int"])

    def number(self, depth):
        return self.kind(depth, [lambda d: self.column("numeric"), lambda d: self.column("integer"), lambda d: self.rng.choice(["0.5", "888", "1e2", "99.99", "-1.5"])], [
            "({n} + {n})", "({n} - {n})", "({n} * {n})", "({n} / {n})", "round({n}, 2)", "floor({n})", "ceil({n})", "trunc({n})", "sign({n})", "abs({n})", "sqrt({n})", "div({n}, {n})",
            "coalesce({n}, {n})", "nullif({n}, {n})", "greatest({n}, {n})", "least({n}, {n})", "CASE WHEN {b} THEN {n} END", "({j} ->> {k})::numeric", "{t}::numeric", "({j} -> {k})::numeric",
            "extract(year FROM {d})", "extract(dow FROM {m})", "extract(hour FROM {c})", "extract(epoch FROM {v})", "date_part('month', {d})", "{n}::numeric(8, 2)", "{n}::float8"])

    def text(self, depth):
        return self.kind(depth, [lambda d: self.column("text"), lambda d: self.quoted("app", "", "A-17", "茶馆", "it's", "42", "100%", "silver")], [
            "({t} || {t})", "lower({t})", "upper({t})", "initcap({t})", "left({t}, {i})", "right({t}, {i})", "substr({t}, {i})", "substring({t}, {i}, {i})", "trim({t})", "btrim({t}, {t})",
            "split_part({t}, {t}, {i})", "coalesce({t}, {t})", "nullif({t}, {t})", "CASE WHEN {b} THEN {t} ELSE {t} END", "({j} ->> {k})", "({j} #>> '{o,k}')", "({a})[{i}]",
            "{i}::text", "{n}::text", "greatest({t}, {t})", "jsonb_typeof({j})", "{c}::text"])

    def date(self, depth):
        return self.kind(depth, [lambda d: self.column("date"), lambda d: "date " + self.quoted("2026-11-11", "2024-02-29", "1999-12-31")], [
            "({d} + {i})", "({d} - {i})", "{m}::date", "attr_date({j}, {k})", "coalesce({d}, {d})", "make_date(2026, {i}, {i})", "greatest({d}, {d})", "CASE WHEN {b} THEN {d} END"])

    def moment(self, depth):
        return self.kind(depth, [lambda d: "occurred_at", lambda d: "timestamp " + self.quoted("2026-11-11 20:00", "2026-01-01", "2024-02-29 23:59:59.5")], [
            "{d}::timestamp", "({m} + {v})", "({m} - {v})", "date_trunc({u}, {m})", "({d} + {c})", "({d} + {v})", "coalesce({m}, {m})", "least({m}, {m})"])

    def clock(self, depth):
        return self.kind(depth, [lambda d: "time_of_day", lambda d: "time " + self.quoted("00:00", "20:15", "23:59:59.999999")], ["{m}::time", "({c} + {v})", "coalesce({c}, {c})"])

    def interval(self, depth):
        return self.kind(depth, [lambda d: "interval " + self.quoted("1 day", "3 months", "-2 hours", "1 year 2 days 03:04:05")], [
            "({m} - {m})", "({c} - {c})", "age({m}, {m})", "({v} * {i})", "({v} / {i})", "({v} + {v})", "(- {v})", "date_trunc('day', {v})"])

    def array(self, depth):
        return self.kind(depth, [lambda d: "tags", lambda d: "ARRAY[%s, %s]" % (self.quoted("vip", "mother"), self.quoted("茶", "")), lambda d: "'{vip,NULL}'::text[]"], [
            "({a} || {a})", "ARRAY[{t}, {t}]", "string_to_array({t}, {t})", "coalesce({a}, {a})", "({a})[1:{i}]", "CASE WHEN {b} THEN {a} ELSE {a} END"])

    def json(self, depth):
        return self.kind(depth, [lambda d: self.column("jsonb"), lambda d: self.quoted('{"city": "杭州"}', '{"n": 1}', "{}", '["a"]') + "::jsonb"], [
            "({j} -> {k})", "({j} || {j})", "({j} - {k})", "({j} #> '{list,0}')", "({j})[{k}]", "coalesce({j}, {j})"])

    def key(self, _):
        return self.quoted("n", "city", "gift", "d", "list", "none")

    def pattern(self, _):
        return self.quoted("%", "a%", "_", "%茶%", "A-__", "100\\%", "%_b", "", "%\\")

    def unit(self, _):
        return self.quoted("year", "month", "week", "day", "hour")

    def boolean(self, depth):
        comparison = self.rng.choice(["=", "<>", "<", "<=", ">", ">="])
        kind = self.rng.choice("nnniitttdmcvaj")
        long_list = ", ".join(str(self.rng.randrange(30)) for _ in range(12))
        return self.kind(depth, [lambda d: self.column("boolean"), lambda d: self.fill("{%s} %s {%s}" % (kind, comparison, kind), 0)], [
            "({%s} %s {%s})" % (kind, comparison, kind), "({b} AND {b})", "({b} OR {b})", "NOT {b}", "({b} AND {b} AND NOT {b})", "({b} OR {b} OR {b})", "({%s} IS NULL)" % kind, "({%s} IS NOT NULL)" % kind,
            "({%s} IS DISTINCT FROM {%s})" % (kind, kind), "({%s} IS NOT DISTINCT FROM {%s})" % (kind, kind), "({b} IS TRUE)", "({b} IS NOT FALSE)", "({b} IS UNKNOWN)",
            "({i} IN ({i}, {i}, {i}))", "({i} NOT IN ({i}, NULL, 3))", "({i} IN (%s))" % long_list, "({i} NOT IN (%s))" % long_list, "({t} IN ('app', 'web', 'pos'))", "({n} BETWEEN {n} AND {n})",
            "({d} NOT BETWEEN {d} AND {d})", "({i} BETWEEN SYMMETRIC {i} AND {i})", "({t} LIKE {p})", "({t} NOT LIKE {p})", "({t} ILIKE {p})", "({t} LIKE {t})", "({t} LIKE {p} ESCAPE '#')",
            "({t} = ANY ({a}))", "({t} <> ALL ({a}))", "({t} LIKE ANY ({a}))", "({a} && {a})", "({a} @> {a})", "({a} <@ {a})", "({j} @> {j})", "({j} ? {k})", "({j} ?| {a})", "({j} ?& {a})", "({j} <@ {j})",
            "starts_with({t}, {t})", "({t} ^@ {t})", "coalesce({b}, {b})", "CASE WHEN {b} THEN {b} ELSE {b} END", "CASE {t} WHEN {t} THEN {b} WHEN {t} THEN {b} END", "({b} = {b})", "({j} -> {k})::boolean",
            "(CASE WHEN {i} <> 0 THEN {n} / {i} END > {n})", "nullif({b}, {b})"])
