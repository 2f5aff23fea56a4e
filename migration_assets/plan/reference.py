"""The reference of what a plan may say, as markdown: its files, the mapping rules, the kinds of checks.

Made from the models and registries that read a plan, so that it cannot say anything else; `docs/` holds the result.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from migration_assets.domain.predicates import Predicate
from migration_assets.engine.enrichers import ENRICHERS
from migration_assets.engine.rules import REGISTRY, Rule
from migration_assets.engine.rules.arguments import Arguments
from migration_assets.engine.rules.errors import ERRORS, OF_RULE, OF_TYPE, REMARKS
from migration_assets.plan import models as m
from migration_assets.plan.billing_models import (
    AcceptedDifference,
    Billing,
    LegacyBilling,
    LegacyFeature,
    LegacyRules,
    Read,
    ReadColumn,
    TargetBilling,
    TargetRules,
    TaxRow,
)
from migration_assets.plan.billing_records import READ_AS, READS, RECORDS, ReadField, Standard
from migration_assets.plan.enrichment_models import Enrichment, EnrichmentRule
from migration_assets.plan.identity_models import (
    Identity,
    IdentityKey,
    IdentityLink,
    Matching,
    Review,
    SurvivorDecision,
    SurvivorRule,
)
from migration_assets.plan.markdown import table
from migration_assets.plan.source_models import Exclusion, Redundant, SourceSystem, SourceTable, Split, Stale
from migration_assets.plan.sync_models import Sync, Window
from migration_assets.quality.rule import MoneyAtStake
from migration_assets.quality.rule import Rule as Check
from migration_assets.quality.rules import RULE_TYPES
from migration_assets.quality.suite import Again, Suite

_MADE = (
    "Made by `cutover document --reference --to docs` from what the program itself reads; `tests/test_docs.py` holds "
    "it up to date.\n"
)
_FILES: Mapping[str, tuple[type[BaseModel], ...]] = {
    "plan.yaml": (m.PlanFile, SourceSystem, SourceTable, Split, Exclusion, Stale, Redundant, Identity,
                  IdentityKey, IdentityLink, Matching, SurvivorRule, Review, Sync, Window, m.Target, m.Rollback),
    "mapping/feeds.csv": (m.Feed,),
    "mapping/<entity>.csv": (m.MappingRow,),
    "codes/<list>.csv": (m.CodeRow,),
    "catalog.yaml": (m.Catalog, m.Product, m.Grant, m.PlanOffer, m.Price, m.Feature),
    "geo.csv": (m.GeoRow,),
    "cohorts.yaml": (m.Cohorts, m.CohortRule),
    "enrichment.yaml": (Enrichment, EnrichmentRule),
    "billing.yaml": (
        Billing, LegacyBilling, LegacyRules, Read, ReadColumn, LegacyFeature,
        TargetBilling, TargetRules, AcceptedDifference,
    ),
    "tax.csv": (TaxRow,),
    "controls.csv": (m.Control,),
    "decisions/survivors.csv": (SurvivorDecision,),
    "target.yaml": (m.TargetSchema, m.TargetTable, m.Compare, m.NoOverlap),
}  # fmt: skip
# Where an entry stands; the program writes it, not the author.
_PLACE = frozenset({"row", "file"})
_WORDS: Mapping[Any, str] = {
    str: "text",
    int: "whole number",
    bool: "true or false",
    Predicate: "condition",
    Any: "anything",
    AwareDatetime: "instant with offset",
    date: "day",
}
_STANDARDS: Mapping[Standard, str] = {
    "country": "a country of ISO 3166-1, two letters",
    "currency": "a currency of ISO 4217, or one of currency_exponents",
    "zone": "a zone of IANA",
}


def reference_pages() -> dict[str, str]:
    """Every page by its file name without `.md`: `plan`, `rules`, `enrichers`, `checks`."""
    pages = {"plan": _plan_page(), "rules": _rules_page(), "enrichers": _enrichers_page(), "checks": _checks_page()}
    return {name: "\n".join(parts) for name, parts in pages.items()}


# --- the files of a plan -------------------------------------------------------------------------------------------


def _plan_page() -> Iterator[str]:
    yield f"# The files of a plan\n\n{_MADE}"
    yield "`cutover check` names every fault with file, line, field and remedy. A cell of a CSV that holds a list of"
    yield "columns separates them with `|`; conditions and arguments are written as JSON.\n"
    yield from _conditions()
    for file, models in _FILES.items():
        yield f"## {file}\n"
        for model in models:
            yield from _model(model, skip=_PLACE if file.endswith(".csv") else frozenset())
        if file == "billing.yaml":
            yield from _records()


def _conditions() -> Iterator[str]:
    yield f"## Conditions\n\n{_doc(Predicate)}\n"
    yield '`{"field": "status", "op": "in", "value": ["A", "B"]}`, and a list of such.\n'
    yield _keys(Predicate)


def _records() -> Iterator[str]:
    yield "### Records\n\nWhat `reads` may name, and the fields of each. How a value is read depends on its type:\n"
    yield table(("type", "is read as"), READ_AS.items())
    for record, says in RECORDS.items():
        yield f"#### {record}\n\n{says}\n"
        fields = READS[record].items()
        rows = ((n, f.type, "yes" if f.needed else "", f.says, _allowed(f)) for n, f in fields)
        yield table(("field", "type", "needed", "is", "what the plan writes of it is"), rows)


def _allowed(field: ReadField) -> str:
    """What a fixed value or the meaning of a code may be, beside its type."""
    if field.means:
        return f"one of {', '.join(field.means)}"
    if field.standard is not None:
        return _STANDARDS[field.standard]
    if field.most is not None:
        return f"from {field.least} to {field.most}"
    return "" if field.least is None else f"at least {field.least}"


def _model(model: type[BaseModel], skip: frozenset[str] = frozenset()) -> Iterator[str]:
    yield f"### {model.__name__}\n\n{_doc(model)}\n"
    yield _keys(model, skip=skip)


# --- mapping rules -------------------------------------------------------------------------------------------------


def _rules_page() -> Iterator[str]:
    yield f"# Mapping rules\n\n{_MADE}"
    yield "A row of `mapping/<entity>.csv` names one of these rules, the columns it reads and its arguments as JSON. A"
    yield "value that cannot be mended ends in an error: it is set aside, or its row rejected, and a note says so."
    yield "Missing stays missing, unless the rule says otherwise.\n"
    yield f"Every rule also takes `when`: {_doc(Arguments).partition('`when`: ')[2]}\n"
    for rule in REGISTRY.values():
        yield from _rule(rule)
    yield "## Errors\n"
    yield table(("error", "means"), ERRORS.items())
    yield "Whatever the rule, a value also has to be what its field is:\n"
    yield table(("type of field", "errors"), ((kind, ", ".join(found)) for kind, found in sorted(OF_TYPE.items())))
    yield "## Remarks\n"
    yield "What a rule says of a value that stays. The note's action is `suggested` where it also says what may be"
    yield "meant, and `remarked` otherwise.\n"
    yield table(("remark", "means"), REMARKS.items())


def _rule(rule: Rule) -> Iterator[str]:
    yield f"## {rule.name}\n\n{rule.doc}\n"
    if rule.arguments is not Arguments and rule.arguments.__doc__:
        yield f"{_doc(rule.arguments)}\n"
    yield f"- columns: {rule.columns_text}"
    yield f"- gives: {', '.join(sorted(rule.produces))}"
    yield f"- errors: {', '.join(f'`{e}`' for e in sorted(OF_RULE.get(rule.name, ()))) or 'none of its own'}\n"
    if set(rule.arguments.model_fields) - {"when"}:
        yield _keys(rule.arguments, skip=frozenset({"when"}), called="argument")


# --- enrichers -----------------------------------------------------------------------------------------------------


def _enrichers_page() -> Iterator[str]:
    yield f"# Enrichers\n\n{_MADE}"
    yield "A rule of `enrichment.yaml` names one of these, the fields it reads and its arguments. What an enricher"
    yield "cannot tell stays missing.\n"
    for enricher in ENRICHERS.values():
        yield f"## {enricher.name}\n\n{enricher.doc}\n"
        least, most = enricher.reads
        yield f"- reads: {least if least == most else f'{least}-{most}'} field(s)"
        yield f"- gives: {', '.join(sorted(enricher.produces))}\n"
        if enricher.arguments.model_fields:
            yield f"{_doc(enricher.arguments)}\n"
            yield _keys(enricher.arguments, called="argument")


# --- checks --------------------------------------------------------------------------------------------------------


def _checks_page() -> Iterator[str]:
    yield f"# Kinds of checks\n\n{_MADE}"
    yield "`expectations/<asset>.yaml`, and a file of that name in a plan's own `expectations/`, list the checks of an"
    yield "asset. Each names a type from below and its arguments (`kwargs`).\n"
    yield "## The file\n"
    for model in (Suite, Again, Check, MoneyAtStake):
        yield from _model(model)
    for name, kind in RULE_TYPES.items():
        yield f"## {name}\n\n{_doc(kind)}\n"
        if kind.model_fields:
            yield _keys(kind, called="argument")


# --- models as tables ----------------------------------------------------------------------------------------------


def _doc(model: type) -> str:
    return inspect.cleandoc(model.__doc__ or "")


def _keys(model: type[BaseModel], *, skip: frozenset[str] = frozenset(), called: str = "key") -> str:
    fields = ((f.alias or n, f) for n, f in model.model_fields.items() if n not in skip)
    return table((called, "is", "default"), ((name, _kind(f.annotation), _default(f)) for name, f in fields))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value == "" or (isinstance(value, (tuple, dict, BaseModel)) and not _says(value)):
        return ""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else repr(value) if value == " " else str(value)


def _says(value: tuple[Any, ...] | dict[Any, Any] | BaseModel) -> bool:
    return bool(value) and not isinstance(value, BaseModel)


def _kind(annotation: Any) -> str:
    """What a key holds, in words: `list of text`, `one of a, b`, the name of another table of keys."""
    if get_origin(annotation) is Annotated:
        return _WORDS.get(annotation) or _kind(get_args(annotation)[0])
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return f"one of {', '.join('(blank)' if v == '' else str(v) for v in inner)}"
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(a) for a in inner if a is not type(None)))
    if origin is tuple:
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return f"map of {_kind(inner[0])} to {_kind(inner[1])}"
    return _WORDS.get(annotation) or str(getattr(annotation, "__name__", annotation))
