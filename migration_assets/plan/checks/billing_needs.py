"""Records and fields of billing.yaml that say nothing without others: what is read has to be enough to bill from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from migration_assets.domain.errors import Fault
from migration_assets.plan.billing_models import LegacyBilling, Read
from migration_assets.plan.billing_records import RecordName
from migration_assets.plan.checks.view import BILLING, PlanView

# What a change needs to say something: its own field, and records beside it.
_CHANGES: Mapping[str, tuple[str, tuple[RecordName, ...]]] = {
    "downgrade": ("new_plan", ("plans", "prices")),
    "upgrade": ("new_plan", ("plans", "prices")),
    "ramp": ("new_quantity", ()),
    "uplift": ("percent", ()),
}
# Records with a price.
_PRICED: tuple[RecordName, ...] = ("items", "prices")
_PAIRS: tuple[tuple[RecordName, RecordName, str], ...] = (
    ("invoices", "lines", "an invoice is compared line by line"),
    ("lines", "invoices", "nothing says which invoice a line stands on"),
    ("plans", "prices", "nothing says what a plan costs"),
    ("payments", "applications", "nothing says what a payment settles"),
    ("applications", "payments", "nothing says whether the money came in"),
    ("applications", "receivables", "nothing says what the invoice comes to that is settled"),
    ("refunds", "payments", "nothing says which payment is given back"),
    ("disputes", "payments", "nothing says which payment is contested"),
    ("write_offs", "receivables", "nothing says what the invoice comes to that was given up"),
    ("revenue", "lines", "nothing says which invoice revenue is of"),
    ("revenue", "receivables", "nothing says whose revenue is deferred"),
)


def need_faults(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    """Everything that is read in vain because something else is not."""
    reads = legacy.reads
    for record, other, why in _PAIRS:
        if record in reads and other not in reads:
            yield view.fault(BILLING, ("legacy", "reads", record), f"{why}", f"read `{other}` as well, or leave it out")
    if "revenue" in reads and "lines" in reads and "line_id" not in reads["lines"].fields:
        problem = "revenue names a line, and nothing says what lines are named by"
        path = ("legacy", "reads", "lines", "fields")
        yield view.fault(BILLING, path, problem, "name the raw column of `line_id`")
    yield from _step_faults(view, legacy)
    yield from _contract_faults(view, reads["contracts"])
    if "discounts" in reads and not {"percent", "amount"} & set(reads["discounts"].fields):
        remedy = "name the raw column of percent, of amount or of both"
        path = ("legacy", "reads", "discounts", "fields")
        yield view.fault(BILLING, path, "nothing says how much a discount takes off", remedy)
    if view.plan.billing is not None and view.plan.billing.target is not None:
        yield from _change_faults(view, legacy)
        yield from _meter_faults(view, legacy)


def _step_faults(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    """Prices by tiers, volume or packages of which nothing says the tiers or the package, and tiers of no price."""
    stepped = False
    for record in (r for r in _PRICED if r in legacy.reads):
        fields = legacy.reads[record].fields
        told, path = fields.get("model"), ("legacy", "reads", record, "fields")
        kinds = set() if told is None else {told.value} if told.value is not None else set((told.codes or {}).values())
        if by_tiers := sorted(kinds & {"tiered", "volume"}, key=str):
            stepped = True
            if "tiers" not in legacy.reads:
                problem = f"nothing says the tiers of a price that is {by_tiers[0]}"
                yield view.fault(BILLING, (*path, "model"), problem, "say where `tiers` are, or leave the code out")
            elif "price" not in fields:
                problem = f"nothing says which tiers a price has that is {by_tiers[0]}"
                yield view.fault(BILLING, path, problem, "name the raw column of `price`, which tiers name it by")
        if "package" in kinds and "package" not in fields:
            remedy = "name the raw column of `package`, or write its `value` where all are alike"
            yield view.fault(BILLING, path, "nothing says how many units a package has", remedy)
    if "tiers" in legacy.reads and not stepped:
        problem = "no price of items or of the price list is tiered or volume, so that none has tiers"
        remedy = "say which raw value of `model` means it, or leave them out"
        yield view.fault(BILLING, ("legacy", "reads", "tiers"), problem, remedy)


def _contract_faults(view: PlanView, read: Read) -> Iterator[Fault]:
    path = ("legacy", "reads", "contracts", "fields")
    if not {"country", "tax_exempt"} & set(read.fields):
        problem = "nothing says whose tax is charged or who is exempt, so that no contract can be billed"
        yield view.fault(BILLING, path, problem, 'name `country`, or write `tax_exempt: {value: "yes"}`')
    if "resumes_on" in read.fields and "paused_on" not in read.fields:
        problem = "resumes_on ends a pause, and nothing says when one begins"
        yield view.fault(BILLING, (*path, "resumes_on"), problem, "name the raw column of `paused_on`")


def _change_faults(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    read = legacy.reads.get("changes")
    told = read.fields.get("kind") if read else None
    if read is None or told is None:
        return
    path: tuple[str, ...] = ("legacy", "reads", "changes", "fields")
    kinds = {told.value} if told.value is not None else set((told.codes or {}).values())
    for kind in sorted(kinds & set(_CHANGES), key=str):
        field, records = _CHANGES[str(kind)]
        if field not in read.fields:
            problem = f"nothing says what a change of kind {kind} leads to"
            yield view.fault(BILLING, path, problem, f"name the raw column of `{field}`, or leave the code out")
        for record in records:
            if record not in legacy.reads:
                problem = f"a change of kind {kind} leads to another plan, and `{record}` are not read"
                remedy = f"say where `{record}` are, or leave the code out"
                yield view.fault(BILLING, (*path, "kind"), problem, remedy)


def _meter_faults(view: PlanView, legacy: LegacyBilling) -> Iterator[Fault]:
    if "usage" in legacy.reads:
        return
    for code, told in legacy.features.items():
        if told.metered_by:
            problem = "is billed as it is used, and nothing says what was used"
            remedy = "say where `usage` is counted, or leave `metered_by` out"
            yield view.fault(BILLING, ("legacy", "features", code, "metered_by"), problem, remedy)
