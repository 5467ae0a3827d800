"""What a rule's condition can use, as doc/rules.md lists it."""
from datetime import date

from days import ONE_DAY, add_months
from rules import ORDER

COLUMNS = {
    'order_amount': 'numeric', 'order_basis': 'numeric', 'line_amount': 'numeric', 'line_basis': 'numeric',
    'quantity': 'numeric', 'sku': 'text', 'merchant_id': 'integer', 'mall_id': 'integer', 'brand': 'text',
    'category': 'text', 'channel': 'text', 'occurred_at': 'timestamp', 'occurred_on': 'date', 'time_of_day': 'time',
    'hour': 'integer', 'weekday': 'integer', 'day': 'integer', 'month': 'integer', 'birthday': 'date',
    'birthday_month': 'boolean', 'birthday_day': 'boolean', 'age': 'integer', 'member_days': 'integer',
    'merchant_days': 'integer', 'tier': 'text', 'tier_rank': 'integer', 'tags': 'text[]', 'source': 'text',
    'member_attributes': 'jsonb', 'order_attributes': 'jsonb', 'first_purchase': 'boolean',
    'first_at_merchant': 'boolean', 'first_in_category': 'boolean', 'days_since_purchase': 'integer',
    'orders_today': 'integer', 'basis_today': 'numeric', 'orders_month': 'integer', 'basis_month': 'numeric',
    'orders_12m': 'integer', 'basis_12m': 'numeric'}


def contexts(programme, member, order, merchant_id, occurred_at, channel, attributes, tier):
    """Of the order and of each eligible line; without any the order meets no rule."""
    if not any(line.eligible for line in order):
        return {}
    day = programme.days.day_of(occurred_at)
    of_order = order_context(programme, member, merchant_id, occurred_at, channel, attributes,
                             sum(line.amount for line in order), sum(line.basis for line in order), tier)
    seen = set(goods_before(programme, member, day))
    places = {ORDER: of_order}
    for line in order:
        if line.eligible:
            places[line.line_no] = of_order | place(programme, line.merchant_id, line.facts, day, seen) | {
                'line_amount': line.amount, 'line_basis': line.basis, 'quantity': line.facts.get('quantity'),
                'sku': line.facts.get('sku')}
    return places


def remainder_contexts(then, left):
    """What conditions saw of an order, with what is left of its lines."""
    eligible = [line for line in left if line.eligible]
    if not eligible:
        return {}
    of_order = {'order_amount': sum(line.amount for line in left), 'order_basis': sum(line.basis for line in left)}
    return {ORDER: then[ORDER] | of_order} | {
        line.line_no: then[line.line_no] | of_order | {
            'line_amount': line.amount, 'line_basis': line.basis, 'quantity': line.facts.get('quantity')}
        for line in eligible}


def order_context(programme, member, merchant_id, occurred_at, channel, attributes, amount, basis, tier):
    day = programme.days.day_of(occurred_at)
    profile = programme.profiles[member.member_id]
    return {'order_amount': amount, 'order_basis': basis, 'channel': channel, 'tier': tier.code, 'tier_rank': tier.rank,
            'order_attributes': attributes or {}, **clock(programme.days.local(occurred_at)),
            **birthday(profile['birthday'] and date.fromisoformat(profile['birthday']), day),
            'member_days': (day - programme.days.day_of(member.enrolled_at)).days, 'tags': profile['tags'],
            'source': profile['source'], 'member_attributes': profile['attributes'], **activity(member, day),
            **place(programme, merchant_id, {}, day, set(goods_before(programme, member, day))),
            **dict.fromkeys(('line_amount', 'line_basis', 'quantity', 'sku'))}


def clock(local):
    return {'occurred_at': local, 'occurred_on': local.date(), 'time_of_day': local.time(), 'hour': local.hour,
            'weekday': local.isoweekday(), 'day': local.day, 'month': local.month}


def birthday(born, day):
    if born is None:
        return dict.fromkeys(('birthday', 'birthday_month', 'birthday_day', 'age'))
    anniversary = add_months(born, 12 * (day.year - born.year))
    return {'birthday': born, 'birthday_month': born.month == day.month, 'birthday_day': anniversary == day,
            'age': day.year - born.year - ((day.month, day.day) < (born.month, born.day))}


def place(programme, merchant_id, facts, day, seen):
    if merchant_id is None:
        return dict.fromkeys(('merchant_id', 'mall_id', 'brand', 'category', 'merchant_days', 'first_at_merchant',
                              'first_in_category'))
    merchant = programme.merchants[merchant_id]
    category = facts.get('category', merchant.category)
    return {'merchant_id': merchant_id, 'mall_id': merchant.mall_id, 'brand': facts.get('brand', merchant.brand),
            'category': category, 'merchant_days': merchant.opened_on and (day - merchant.opened_on).days,
            'first_at_merchant': ('merchant', merchant_id) not in seen,
            'first_in_category': None if category is None else ('category', category) not in seen}


def goods_before(programme, member, day):
    """Merchants and categories of the lines of purchases before, unless they came back completely."""
    for event in member.journal:
        if event['verb'] == 'accrual' and event['day'] <= day and not member.sales[event['journal_no']].complete:
            for line in event['lines'] or [event]:
                yield 'merchant', line['merchant_id']
                yield 'category', line.get('category', programme.merchants[line['merchant_id']].category)


def activity(member, day):
    before = {past: row for past, row in member.activity.items() if past <= day and row[0]}
    columns = {'first_purchase': not before,
               'days_since_purchase': (day - max(before)).days if before else None}
    starts = {'today': day, 'month': day.replace(day=1), '12m': add_months(day, -12) + ONE_DAY}
    for name, start in starts.items():
        columns['orders_' + name] = sum(row[0] for past, row in before.items() if past >= start)
        columns['basis_' + name] = sum(row[1] for past, row in before.items() if past >= start)
    return columns
