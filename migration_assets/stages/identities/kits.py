"""What makes two records alike, for people and for companies: fields and how they are compared, where pairs are looked
for, and what the model learns from. Defaults that no data set is tuned for; a plan may choose, and need not.

A field that a data set does not have, or has nowhere a value for, is left out with everything that names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from migration_assets.stages.identities.telling import Seen, Telling, near, told_apart

# How a field is compared. `name`: spelling, and frequent names count less. `text`: the same for streets and cities.
# `date`: typing slips, then days, months and years apart. `email`: the whole, then the part before the @. `number`:
# digits off by one or two. `code`: equal or not.
Method = Literal["name", "text", "date", "email", "number", "code"]


@dataclass(frozen=True)
class Kit:
    """One kind of party. `fields`: field -> how it is compared. `blocks`: pairs are compared when they agree on all
    parts of one of these (`field`, or `field[:n]` for its first characters). `lessons`: the model learns from pairs
    that agree on one of these. `sure`: pairs that agree so far are hardly ever different parties; how many there are
    says how many duplicates to expect. `telling`: what tells those apart who share all the rest, members of a household
    or of a group of companies. `swapped`: two fields that people fill in the wrong way round."""

    name: str
    fields: dict[str, Method]
    blocks: tuple[tuple[str, ...], ...]
    lessons: tuple[tuple[str, ...], ...]
    sure: tuple[tuple[str, ...], ...]
    telling: Mapping[str, Telling] = field(default_factory=dict)
    swapped: tuple[str, str] | None = None
    proof: tuple[str, ...] = ()
    lasting: frozenset[str] = frozenset()
    own: tuple[str, ...] = ()

    def within(self, present: frozenset[str]) -> Kit:
        """The kit for a data set with values in these fields only."""

        def kept(rules: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
            return tuple(rule for rule in rules if all(field_of(part) in present for part in rule))

        return replace(
            self,
            fields={name: method for name, method in self.fields.items() if name in present},
            blocks=kept(self.blocks),
            lessons=kept(self.lessons),
            sure=kept(self.sure),
            telling={name: how for name, how in self.telling.items() if name in present},
            swapped=self.swapped if self.swapped and present.issuperset(self.swapped) else None,
            proof=tuple(name for name in self.proof if name in present),
        )

    def tells_apart(
        self, one: Mapping[str, str | None], other: Mapping[str, str | None], seen: Mapping[str, Seen]
    ) -> bool:
        """Whether two records differ outright in what tells those apart who share all the rest. `seen`: of each field
        of words, how often each word stands there."""
        if any(one[name] and one[name] == other[name] for name in self.proof):
            return False
        turned = self.swapped if self.swapped and _turned(one, other, self.swapped) else ()
        return any(
            told_apart(one[name], other[name], how, seen.get(name))
            for name, how in self.telling.items()
            if name not in turned
        )


def _turned(one: Mapping[str, str | None], other: Mapping[str, str | None], fields: tuple[str, str]) -> bool:
    """Whether one record has in one field what the other has in the other."""
    a, b = fields
    return any(near(x, y) for x, y in ((one[a], other[b]), (one[b], other[a])) if x and y)


def field_of(part: str) -> str:
    """The field that a part of a block reads."""
    return part.partition("[")[0]


PERSON = Kit(
    name="person",
    fields={
        "given_name": "name",
        "family_name": "name",
        "birth_date": "date",
        "email": "email",
        "phone": "number",
        "street": "text",
        "house_number": "number",
        "line2": "text",
        "city": "text",
        "postal_code": "number",
        "state": "code",
        # Evidence, not a veto: as long as nobody has verified it, people mistype it and share it.
        "tax_id": "number",
    },
    blocks=(
        ("given_name", "family_name"),
        ("family_name", "birth_date"),
        ("given_name", "birth_date"),
        ("birth_date",),
        ("email",),
        ("phone",),
        ("tax_id",),
        ("postal_code", "family_name"),
        ("postal_code", "given_name"),
        ("street", "house_number"),
        ("street", "postal_code"),
        ("line2", "postal_code"),
        ("city", "given_name"),
        ("city", "family_name"),
        ("given_name[:3]", "family_name[:3]"),
    ),
    lessons=(("birth_date",), ("family_name", "given_name"), ("postal_code", "city"), ("email",)),
    sure=(
        ("given_name", "family_name", "birth_date"),
        ("family_name", "postal_code", "birth_date"),
        ("given_name", "street", "birth_date"),
        ("email", "family_name"),
    ),
    telling={"given_name": "words", "birth_date": "date"},
    swapped=("given_name", "family_name"),
    proof=("tax_id",),
    lasting=frozenset({"given_name", "birth_date", "tax_id"}),
    own=("email", "phone", "tax_id"),
)

COMPANY = Kit(
    name="company",
    fields={
        # Without its legal form, which the same company writes in many ways.
        "trading_name": "name",
        "website": "code",
        "email": "email",
        "phone": "number",
        "street": "text",
        "city": "text",
        "postal_code": "number",
        "country": "code",
        "tax_id": "number",
    },
    blocks=(
        ("trading_name",),
        ("website",),
        ("email",),
        ("phone",),
        ("tax_id",),
        ("trading_name[:5]", "postal_code"),
        ("trading_name[:5]", "city"),
        ("street", "postal_code"),
    ),
    lessons=(("trading_name",), ("website",), ("postal_code", "street"), ("tax_id",)),
    sure=(("trading_name", "tax_id"), ("trading_name", "postal_code"), ("website", "trading_name")),
    telling={"trading_name": "words", "country": "code"},
    proof=("tax_id",),
    lasting=frozenset({"trading_name", "tax_id"}),
    own=("website", "email", "phone", "tax_id"),
)
