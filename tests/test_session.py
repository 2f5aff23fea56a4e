from __future__ import annotations

import os
import pwd

import pytest

from migration_assets.session import actor


def test_the_environment_does_not_make_two_persons_of_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody.else")
    assert actor() == pwd.getpwuid(os.geteuid()).pw_name


def test_an_account_without_a_name_is_known_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody.else")
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_001)
    assert actor() == "4000000001"
