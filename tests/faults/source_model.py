"""A source of a few customers as plain dictionaries: who is there, as whom, in which cohort, with which values.

Every customer row `n` has one contract `n` and on it one position `n * 10 + 1`, which go wherever it goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

COHORTS = ("pilot", "base", "late")
NUMBERS = (1, 2, 3, 4)
# What can happen to a row, the commonest most often; to which of them: `happens`.
EVENTS = ("comes", "comes", "leaves", "is erased", "merges", "merges", "goes up", "parts", "parts", "moves", "moves")
# Fields of a source row that others change in the target too, and the column of the target each is in.
FIELDS = {
    "name": ("customers", "name"),
    "email": ("customers", "email"),
    "country": ("customers", "country"),
    "billed": ("subscriptions", "billed_to_date_minor"),
    "quantity": ("subscription_items", "quantity"),
}


@dataclass
class Source:
    """The source as it is now. `into`: each customer row there is -> the row its customer goes by; `cohort`: that one
    -> its cohort; `erased`: rows that will not come back."""

    into: dict[int, int] = field(default_factory=dict)
    cohort: dict[int, str] = field(default_factory=dict)
    values: dict[int, dict[str, str]] = field(default_factory=dict)
    erased: set[int] = field(default_factory=set)

    def happens(self, what: str, number: int, other: int, cohort: str) -> None:
        """One of EVENTS, to this row or to the next one to which it can happen, if any."""
        here, heads = sorted(self.into), sorted(self.cohort)
        several = [n for n in here if len(self.group(self.into[n])) > 1]
        away = [n for n in NUMBERS if n not in self.into and n not in self.erased]
        if what == "comes" and away:
            self.comes(_next(number, away), cohort)
        elif what == "leaves" and here:
            self.leaves(_next(number, here))
        elif what == "is erased" and here:
            self.is_erased(_next(number, here))
        elif what in ("merges", "goes up") and len(heads) > 1:
            one = _next(number, heads)
            self.merges(one, _next(other, [h for h in heads if h != one]), by_other=what == "goes up")
        elif what == "parts" and several:
            self.parts(_next(number, several), cohort)
        elif what == "moves" and here:
            self.moves(_next(number, here), cohort)

    def group(self, identity: int) -> list[int]:
        """All rows that go by this one."""
        return sorted(n for n, i in self.into.items() if i == identity)

    def cohort_of(self, number: int) -> str:
        return self.cohort[self.into[number]]

    def comes(self, number: int, cohort: str) -> None:
        """A customer that is not there, and was not erased, is there by itself."""
        if number not in self.into and number not in self.erased:
            self.into[number], self.cohort[number] = number, cohort
            start = {"name": "N0", "email": "E0", "country": "DE", "billed": "0", "quantity": "0"}
            self.values.setdefault(number, start)

    def leaves(self, number: int) -> None:
        """The row is gone; whoever went by it goes by the first of those that are left."""
        if number in self.into:
            self._part(number)
            del self.into[number]
            self.cohort.pop(number, None)

    def is_erased(self, number: int) -> None:
        self.leaves(number)
        self.erased.add(number)

    def merges(self, one: int, other: int, *, by_other: bool) -> None:
        """Two customers turn out to be one, in the cohort of the first, which goes by either row."""
        if one in self.into and other in self.into and self.into[one] != self.into[other]:
            first, second = self.into[one], self.into[other]
            head, cohort = (second if by_other else first), self.cohort[first]
            for number, identity in self.into.items():
                if identity in (first, second):
                    self.into[number] = head
            del self.cohort[first], self.cohort[second]
            self.cohort[head] = cohort

    def parts(self, number: int, cohort: str) -> None:
        """A row that was taken for another's is a customer by itself again."""
        if number in self.into and len(self.group(self.into[number])) > 1:
            self._part(number)
            self.into[number], self.cohort[number] = number, cohort

    def moves(self, number: int, cohort: str) -> None:
        if number in self.into:
            self.cohort[self.into[number]] = cohort

    def _part(self, number: int) -> None:
        identity = self.into[number]
        rest = [n for n in self.group(identity) if n != number]
        if rest and identity == number:
            self.cohort[rest[0]] = self.cohort.pop(identity)
            for n in rest:
                self.into[n] = rest[0]


def _next(number: int, among: list[int]) -> int:
    return min(among, key=lambda n: (n - number) % (len(NUMBERS) + 1))
