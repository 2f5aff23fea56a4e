"""Who is who among the demo company's customers, held against the truth of what was planted."""

from __future__ import annotations

import contextlib
import locale
import time
from collections.abc import Iterator

import pytest

from benchmarks.lookalikes import DUPLICATES, Verdicts, legacy_company, verdicts
from migration_assets.demo import Legacy, lookalikes


@pytest.fixture(scope="module")
def legacy() -> Legacy:
    return legacy_company(2_000)


@pytest.fixture(scope="module")
def found(legacy: Legacy) -> Verdicts:
    return verdicts(legacy)


@pytest.mark.parametrize("kind", lookalikes.STRANGERS)
def test_who_only_looks_alike_is_never_merged_by_machine(found: Verdicts, kind: str) -> None:
    pairs = found.pairs(kind)
    assert pairs
    assert [p for p in pairs if p[0] == p[1]] == []


def test_whoever_was_billed_under_both_accounts_waits_for_a_person(found: Verdicts) -> None:
    pairs = found.pairs(lookalikes.BOTH_BILLED)
    assert pairs
    assert [p for p in pairs if p[0] == p[1] or not found.is_asked(p)] == []


@pytest.mark.parametrize("kind", DUPLICATES)
def test_whoever_was_entered_twice_is_merged_or_put_to_a_person(found: Verdicts, kind: str) -> None:
    pairs = found.pairs(kind)
    assert pairs
    missed = [p for p in pairs if p[0] != p[1] and not found.is_asked(p)]
    assert len(missed) <= 0.05 * len(pairs), f"{len(missed)} of {len(pairs)}"


def test_nobody_is_merged_who_was_entered_once(found: Verdicts) -> None:
    assert found.merged_wrongly() == set()


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another time zone and, where the machine has one, a locale that sorts and writes letters in its own way."""
    before = locale.setlocale(locale.LC_ALL)
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    time.tzset()
    for name in ("tr_TR.UTF-8", "de_DE.UTF-8", "C"):
        with contextlib.suppress(locale.Error):
            locale.setlocale(locale.LC_ALL, name)
            break
    yield
    locale.setlocale(locale.LC_ALL, before)
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_order_of_rows_threads_and_locale_change_nothing(found: Verdicts, legacy: Legacy) -> None:
    turned = verdicts(legacy, threads=1, shuffled=5)
    assert (turned.identity, turned.asked) == (found.identity, found.asked)
