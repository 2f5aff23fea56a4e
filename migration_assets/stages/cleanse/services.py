"""Services that enrichment rules ask: put each question once for a snapshot, keep the answers, count what went wrong.

Another run on the same snapshot finds the answers kept and asks nothing again, so it gives the same rows. Failures are
not kept: the next run asks those again. How answers are kept, and until when: `kept_answers`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from migration_assets.connectors.rest_lookup import Reply, RestLookup, pointed
from migration_assets.engine.enrichers import ENRICHERS
from migration_assets.engine.rules.outcome import Cleaned, Cleaner, Texts
from migration_assets.plan.environment import resolve
from migration_assets.plan.ownership import UNASSIGNED
from migration_assets.stages.cohorts.assign import planned_cohorts

if TYPE_CHECKING:
    from migration_assets.engine.enrichers.arguments import Service
    from migration_assets.plan.models import Plan
    from migration_assets.stages.cleanse.enrich import Told
    from migration_assets.stages.cleanse.kept_answers import KeptAnswers


_OF_RULE = ("entity", "field", "rule", "source", "confidence", "lawful_basis")
_OF_QUESTIONS = (
    "kept",
    "answered",
    "unknown",
    "client_error",
    "server_error",
    "unreachable",
    "unreadable",
    "not_asked",
)
_RULES = pa.schema(
    [(name, pa.float64() if name == "confidence" else pa.string()) for name in _OF_RULE]
    + [(name, pa.int64()) for name in ("lacking", "told", "refused", *_OF_QUESTIONS, "unanswered")]
    + [("is_service", pa.bool_()), ("required", pa.bool_())]
)


class Lookup(Protocol):
    """What can be asked."""

    def ask(self, question: Mapping[str, str]) -> Reply: ...


@dataclass
class AskedService:
    """One rule's service during one run. `kept`: answers by digest of their question; `used`: those that this run has
    found there or been given.

    `counts`: questions by what came of them (connectors.rest_lookup.Outcome), and `kept` and `not_asked`.
    """

    arguments: Service
    lookup: Lookup
    digest: Callable[[Any], str]
    kept: Mapping[str, str | None]
    used: dict[str, str | None] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    _failures: int = 0

    def clean(self, texts: Texts) -> Cleaned:
        """The answer to one question; missing where the service does not know, or cannot be asked."""
        question = {name: text for name, text in zip(self.arguments.sends, texts, strict=True) if text is not None}
        digest = self.digest([self.arguments.url, self.arguments.answer, sorted(question.items())])
        if digest in self.kept:
            self.counts["kept"] += 1
            self.used[digest] = self.kept[digest]
            return Cleaned(self.used[digest])
        if self._failures >= self.arguments.gives_up_after:
            self.counts["not_asked"] += 1
            return Cleaned()
        return self._asked(question, digest)

    def _asked(self, question: Mapping[str, str], digest: str) -> Cleaned:
        reply = self.lookup.ask(question)
        self.counts[reply.outcome] += 1
        self._failures = self._failures + 1 if _is_down(reply) else 0
        if reply.outcome not in ("answered", "unknown"):
            return Cleaned()
        self.used[digest] = _text(pointed(reply.body, self.arguments.answer))
        return Cleaned(self.used[digest])

    @property
    def unanswered(self) -> int:
        """Questions that got no answer, be it a no."""
        failed = ("client_error", "server_error", "unreachable", "unreadable", "not_asked")
        return sum(self.counts[name] for name in failed)


def _is_down(reply: Reply) -> bool:
    """Whether the service fails whatever it is asked: out of order, or it does not let us in. Any other 4xx is about
    one question alone."""
    return reply.outcome in ("server_error", "unreachable", "unreadable") or reply.status in (401, 403, 429)


def _text(value: Any) -> str | None:
    """A plain value of JSON as text; a list or an object is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) and value.strip() else None


@contextmanager
def opened_services(
    plan: Plan, kept: KeptAnswers, env: Mapping[str, str], *, trial: bool = False
) -> Iterator[dict[str, AskedService]]:
    """The services of the plan's rules by rule, with the answers kept for the snapshot; what is new is kept at the end,
    whatever happens, and what was not asked about any more is forgotten when all went well. A `trial` forgets nothing:
    the plan may be another one only for now."""
    rules = {r.rule: ENRICHERS[r.enricher].parse(r.arguments) for r in plan.enrichment if r.enricher == "service"}
    if not trial:
        kept.forget_others(rules, {*(c.name for c in planned_cohorts(plan.cohorts.cohorts)), UNASSIGNED})
    asked: dict[str, AskedService] = {}
    whole = False
    with ExitStack() as opened:
        for name, service in rules.items():
            lookup = opened.enter_context(closing(_lookup(service, env)))
            asked[name] = AskedService(service, lookup, kept.digest, kept.of_rule(name))
        try:
            yield asked
            whole = not trial
        finally:
            for name, each in asked.items():
                kept.keep(name, each.used, in_place_of_others=whole)


def _lookup(service: Service, env: Mapping[str, str]) -> RestLookup:
    return RestLookup(
        resolve(service.url, env),
        resolve(service.token, env),
        per_second=service.per_second,
        timeout_seconds=service.timeout_seconds,
        attempts=service.attempts,
    )


def cleaners(services: Mapping[str, AskedService]) -> dict[str, Cleaner]:
    """The services as enrichment asks them."""
    return {name: Cleaner(service.clean) for name, service in services.items()}


def rules_table(told: Sequence[Told], services: Mapping[str, AskedService]) -> pa.Table:
    """Table `enrichment_rules`, one row for each rule: what it added and on whose word; for a service what became of
    its questions (`kept` were answered before), how many are without an answer, and whether it has to answer."""
    rows = []
    for each in told:
        service = services.get(each.rule.rule)
        counts: Counter[str] = service.counts if service else Counter()
        rows.append(
            {
                **{name: getattr(each.rule, name) for name in _OF_RULE},
                "lacking": each.lacking,
                "told": each.told,
                "refused": each.refused,
                **{name: counts[name] for name in _OF_QUESTIONS},
                "unanswered": service.unanswered if service else 0,
                "is_service": service is not None,
                "required": service is not None and service.arguments.required,
            }
        )
    return pa.Table.from_pylist(rows, schema=_RULES)
