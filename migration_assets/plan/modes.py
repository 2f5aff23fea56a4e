"""The ways to migrate that a plan can choose from: settings that change order, gates and rhythm, and no code path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Strategy = Literal["big_bang", "phased", "parallel", "hybrid"]


@dataclass(frozen=True)
class Mode:
    """`together`: nothing is loaded before every cohort has been transformed and has passed. `pilot_apart`: but for the
    first wave, which is moved before that. `follows`: the target is kept in step from the first load on, even where the
    plan says nothing of `sync`."""

    together: bool
    pilot_apart: bool
    follows: bool


MODES: Mapping[Strategy, Mode] = {
    # All at once, once; a last delta at the cutover is asked for by hand.
    "big_bang": Mode(together=True, pilot_apart=False, follows=False),
    # Wave by wave; who has moved has moved.
    "phased": Mode(together=False, pilot_apart=False, follows=False),
    # Wave by wave, while both systems go on living.
    "parallel": Mode(together=False, pilot_apart=False, follows=True),
    # A pilot that lives in both, then everybody at once.
    "hybrid": Mode(together=True, pilot_apart=True, follows=True),
}
