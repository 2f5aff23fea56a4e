"""What an answer to a case does, where one person's word is enough and where a second person has to agree. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from migration_assets.control.signature import same_person
from migration_assets.domain.errors import BadInput

# `same` and `apart` tie or part two customers from the next run on; `open` takes an answer back.
Answer = Literal["same", "apart", "open"]
# Of what others changed in the target: `source` writes over it with the next load, `target` leaves it there.
Settled = Literal["source", "target", "open"]
# `decided`: in force from the next run on. `proposed`: it waits for a second person. `withdrawn`: a proposal is taken
# back. `reopened`: the second person sees it otherwise, and both answers are history.
Effect = Literal["decided", "proposed", "withdrawn", "reopened"]


@dataclass(frozen=True)
class Outcome:
    """What becomes of an answer. `by`: whose word it was first; `seconded_by`: who agreed, if anybody had to."""

    effect: Effect
    by: str
    seconded_by: str | None = None


def outcome_of(
    answer: Answer | Settled,
    by: str,
    *,
    decided: Answer | Settled | None,
    proposed: Answer | Settled | None,
    proposed_by: str | None,
    two: bool,
) -> Outcome:
    """What `by` brings about by answering, given what is `decided` and what is `proposed` so far, and whether `two`
    have to agree.

    What is decided stays in force until two agree on something else. BadInput for agreeing with oneself, for taking
    back what nobody said, and for proposing what is decided already.
    """
    if proposed is not None and proposed_by is not None and two:
        return _to_proposal(answer, by, decided, proposed, proposed_by)
    if answer == "open" and decided in (None, "open") and proposed is None:
        raise BadInput("there is no answer to take back", "`cutover review show CASE` says what was answered.")
    if two and answer == decided:
        raise BadInput(f"the case is decided so already: {answer}", "Answer otherwise, or take it back with `open`.")
    return Outcome("proposed" if two else "decided", by)


def _to_proposal(
    answer: Answer | Settled, by: str, decided: Answer | Settled | None, proposed: Answer | Settled, proposed_by: str
) -> Outcome:
    mine = same_person(by, proposed_by)
    if mine and (answer == "open" or answer == decided):
        # Their own: `open` takes it back, also where it was `open` itself, and so does what is in force anyway.
        return Outcome("withdrawn", by)
    if answer == proposed:
        return Outcome("decided", proposed_by, _somebody_else(by, proposed_by))
    if answer == "open":
        return Outcome("withdrawn", by)
    return Outcome("proposed", by) if mine else Outcome("reopened", by)


def _somebody_else(by: str, proposed_by: str) -> str:
    if same_person(by, proposed_by):
        raise BadInput(
            f"{by} has given this answer already, and this plan asks for four eyes",
            "Have a second person answer it: `cutover review list` shows what waits for one.",
        )
    return by
