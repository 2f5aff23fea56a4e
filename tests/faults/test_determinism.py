"""Whatever a machine is set to, the same source gives the same bytes."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_world import Undisturbed, World, differences

pytestmark = pytest.mark.pipeline
# Hash seed, time zone, locale, threads of an engine.
SETTINGS = [
    ("1", "Pacific/Kiritimati", "tr_TR.UTF-8", 1),
    pytest.param("2", "America/St_Johns", "C", 4, marks=pytest.mark.faults),
    pytest.param("3", "Asia/Kathmandu", "de_DE.UTF-8", 2, marks=pytest.mark.faults),
    pytest.param("0", "Europe/Berlin", "C.UTF-8", 3, marks=pytest.mark.faults),
    pytest.param("4294967295", "Pacific/Pago_Pago", "POSIX", 8, marks=pytest.mark.faults),
]


@pytest.mark.parametrize(("seed", "zone", "locale", "threads"), SETTINGS)
def test_hash_seed_time_zone_locale_and_threads_change_no_byte(
    faulty: World, undisturbed: Undisturbed, seed: str, zone: str, locale: str, threads: int
) -> None:
    faulty.reset()
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("one_run.py")), str(threads)],
        input=pickle.dumps(faulty.environment),
        env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LANG": locale, "LC_ALL": locale},
        capture_output=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stderr.decode()[-2000:]
    assert json.loads(ended.stdout.splitlines()[-1])[:2] == ["done", "verified_billing"]
    assert differences(faulty.state(), undisturbed.state) == []
