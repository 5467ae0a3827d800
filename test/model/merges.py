"""Merges as doc/members.md describes them: one person, two members."""
from ledger import require


class Merges:
    def merge(self, into_id, from_id, reason, at):
        require(into_id != from_id, '22023')
        from_member, into = self.survivor(from_id).copy(), self.survivor(into_id).copy()
        if from_member.member_id == into.member_id:
            require(from_id in self.aliases, 'MB111')
            return
        now = self._meet(at, from_member, into)
        self._require_mergeable(from_member, from_id)
        out = self._post(from_member, 'merge_out', now, now, reason=reason, counterpart_id=into.member_id)
        event = self._post(into, 'merge_in', now, now, reason=reason, counterpart_id=from_id)
        self._move_points(from_member, out, into, event)
        self._carry_spends(from_member, into, now)
        for day, row in from_member.activity.items():
            into.activity[day] = [sum(both) for both in zip(row, into.activity.get(day, [0] * len(row)))]
        self._keep_tier(from_member, into, event)
        from_member.activity, from_member.status = {}, 'merged'
        self.aliases |= {number: into.member_id for number, survivor in self.aliases.items() if survivor == from_id}
        self.aliases[from_id] = into.member_id
        self._unite(from_id, into.member_id)
        self.members[from_id], self.members[into.member_id] = from_member, into

    def survivor(self, member_id):
        return self.member(self.aliases.get(member_id, member_id))

    @staticmethod
    def _require_mergeable(member, called):
        require(member.member_id == called and not member.holds, 'MB111')
        require(not any(event['status'] == 'review' and ('review', str(event['journal_no'])) not in member.keys
                        for event in member.journal), 'MB111')

    def _move_points(self, from_member, out, into, event):
        """Lots as they are, then debt, which available points pay."""
        for lot in sorted(from_member.lots, key=lambda lot: lot.lot_no):
            points = lot.remaining
            opening = self._move(into, event, None, points, (lot.active_at, lot.expires_at, lot.origin), lot.lot_no)
            into.lots.append(self._new_lot(opening, event, points))
            self._take(from_member, out, lot, points)
        if from_member.debt:
            self._move(from_member, out, 0, from_member.debt)
            self._move(into, event, 0, -from_member.debt)
            into.debt, from_member.debt = into.debt + from_member.debt, 0
        for lot in self._free_lots(into, event['posted_at']):
            if into.debt:
                self._pay_debt(into, event, lot)

    def _carry_spends(self, from_member, into, now):
        """Points spent on orders that are to come stand in the survivor's journal."""
        for merchant_id, order_ref, number in sorted(from_member.order_spends, key=lambda spend: spend[2]):
            spent = from_member.event(number)
            first = (spent['refers_to'], spent['counterpart_id']) if spent['verb'] == 'merge_in' else (
                number, from_member.member_id)
            event = self._post(
                into, 'merge_in', now, now, refers_to=first[0], counterpart_id=first[1], merchant_id=merchant_id,
                order_ref=order_ref, purpose=spent['purpose'], channel=spent['channel'], amount=spent['amount'])
            into.order_spends.append((merchant_id, order_ref, event['journal_no']))
        from_member.order_spends = []

    def _keep_tier(self, from_member, into, event):
        """The higher one with what is left of it; of equal ones the later end and the later lock."""
        ranks = [self.tiers[member.tier_id].rank for member in (from_member, into)]
        if ranks[0] > ranks[1]:
            self._change_tier(into, self.tiers[from_member.tier_id], 'merge', event)
            into.tier_expires_at, into.tier_locked_until = from_member.tier_expires_at, from_member.tier_locked_until
        if ranks[0] == ranks[1]:
            ends = from_member.tier_expires_at, into.tier_expires_at
            into.tier_expires_at = None if None in ends else max(ends)
            locks = [member.tier_locked_until for member in (from_member, into) if member.tier_locked_until]
            into.tier_locked_until = max(locks, default=None)

    def _unite(self, from_id, into_id):
        self.identities |= {key: into_id for key, owner in self.identities.items() if owner == from_id}
        own, other = self.profiles[into_id], self.profiles[from_id]
        itself = {into_id, *(number for number, survivor in self.aliases.items() if survivor == into_id)}
        referrers = [profile['referrer_id'] for profile in (own, other) if profile['referrer_id'] not in itself | {None}]
        self.profiles[into_id] = own | {
            'birthday': own['birthday'] or other['birthday'], 'source': own['source'] or other['source'],
            'referrer_id': next(iter(referrers), None), 'tags': sorted({*own['tags'], *other['tags']}),
            'attributes': other['attributes'] | own['attributes'], 'consent': other['consent'] | own['consent']}
