"""Who owes whom after an event."""
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from money import to_minor_unit


@dataclass
class Contract:
    contract_id: int
    valid_from: object
    valid_to: object           # exclusive, None = open
    collects: str
    commission_rate: Fraction
    issue_price: Fraction
    redemption_price: Fraction
    commission_refunded: bool = True

    def covers(self, day):
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)


NO_CONTRACT = Contract(0, None, None, 'merchant', Fraction(0), Fraction(0), Fraction(0))


class Splits:
    def _contract(self, merchant_id, day):
        return next((c for c in self.merchants[merchant_id].contracts if c.covers(day)), NO_CONTRACT)

    def _split(self, member, event, merchant_id, kind, payer, payee, amount, points=None):
        amount = to_minor_unit(amount, self.config.digits)
        if amount or kind == 'points_issued' and points:
            self._record_split(member, event, merchant_id, kind, payer, payee, amount, points)

    @staticmethod
    def _record_split(member, event, merchant_id, kind, payer, payee, amount, points):
        number = sum(split['journal_no'] == event['journal_no'] for split in member.splits) + 1
        member.splits.append({
            'journal_no': event['journal_no'], 'split_no': number, 'merchant_id': merchant_id, 'kind': kind,
            'payer_party_id': payer, 'payee_party_id': payee, 'amount': amount, 'points': points or None})

    def _split_sale(self, member, event, order):
        """Per merchant the sale, the commission on its net and what becomes of the points paid there."""
        collected = worth_there = Fraction(0)
        all_points, all_worth = sum(line.points_tendered for line in order), sum(line.tendered for line in order)
        for merchant_id in dict.fromkeys(line.merchant_id for line in order):
            merchant, lines = self.merchants[merchant_id], [line for line in order if line.merchant_id == merchant_id]
            contract = self._contract(merchant_id, event['day'])
            net, worth = sum(line.amount for line in lines), sum(line.tendered for line in lines)
            if contract.collects == 'mall':
                self._split(member, event, merchant_id, 'sale', merchant.mall_party_id, merchant.party_id, net)
            else:
                collected += net - worth
                worth_there += worth
            self._split(member, event, merchant_id, 'commission', merchant.party_id, merchant.mall_party_id,
                        net * contract.commission_rate)
            if worth:
                self._split_reimbursement(member, event, merchant, contract, worth, all_points / all_worth,
                                          sum(line.points_tendered for line in lines))
        event['merchant_collected'] = collected
        return worth_there

    def _split_reimbursement(self, member, event, merchant, contract, worth, points_per_unit, points):
        """What the price reimburses: of the merchant's part of all points by their worth."""
        reimbursed = to_minor_unit(worth * points_per_unit * contract.redemption_price, self.config.digits)
        if contract.collects == 'mall':
            self._split(member, event, merchant.merchant_id, 'points_contribution', merchant.party_id,
                        merchant.mall_party_id, max(worth - reimbursed, 0), points)
        else:
            self._split(member, event, merchant.merchant_id, 'points_redeemed', merchant.mall_party_id,
                        merchant.party_id, reimbursed, points)

    def _split_spending(self, member, event):
        """Of points that paid for no order that is to be accrued."""
        merchant, worth, points = self.merchants[event['merchant_id']], event['amount'], -event['points']
        contract = self._contract(merchant.merchant_id, event['day'])
        if contract.collects == 'mall':
            self._split(member, event, merchant.merchant_id, 'sale', merchant.mall_party_id, merchant.party_id, worth)
        self._split_reimbursement(member, event, merchant, contract, worth, points / worth, points)

    def _split_back(self, member, event, undone):
        """The same rows, paid the other way."""
        for split in [split for split in member.splits if split['journal_no'] == undone['journal_no']]:
            self._split(member, event, split['merchant_id'], split['kind'], split['payee_party_id'],
                        split['payer_party_id'], split['amount'], split['points'])

    def _split_points(self, member, purchase, event, award):
        """Per merchant and who pays: its own base and tier points first, then funders of rules by their number."""
        for merchant_id in dict.fromkeys(line.merchant_id for line in award.lines):
            merchant = self.merchants[merchant_id]
            price = self._contract(merchant_id, purchase['day']).issue_price
            issued = self._issued(award, merchant_id)
            for payer in sorted(issued, key=lambda party_id: (party_id != merchant.party_id, party_id)):
                if price:
                    self._split(member, event, merchant_id, 'points_issued', payer, merchant.mall_party_id,
                                issued[payer] * price, issued[payer])

    def _issued(self, award, merchant_id, but=lambda rule: False):
        """Who pays for how many of the points that a merchant's lines earned; what a mall funds itself is not told."""
        merchant, issued = self.merchants[merchant_id], Counter()
        for line in award.lines:
            for rule, points in award.points[line.line_no] if line.merchant_id == merchant_id else ():
                funder = rule and (rule.funder_party_id or merchant.mall_party_id)
                if not but(rule) and (funder is None or funder != merchant.mall_party_id):
                    issued[funder or merchant.party_id] += points
        return issued
