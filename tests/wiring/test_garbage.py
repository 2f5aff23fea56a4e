"""Python's collector of garbage goes on working, less often."""

from __future__ import annotations

import gc
import weakref

from migration_assets.wiring.garbage import collect_less


class Circle:
    """Refers to itself, so that only the collector finds it."""

    def __init__(self) -> None:
        self.own = self


def test_garbage_is_looked_for_less_often_and_still_found() -> None:
    usual = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        collect_less()
        assert gc.isenabled() and gc.get_threshold()[0] > 700
        found = weakref.ref(Circle())
        made = [Circle() for _ in range(gc.get_threshold()[0] + 1)]
        assert found() is None and made
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)
