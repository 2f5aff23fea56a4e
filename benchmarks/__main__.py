"""`make bench`: every benchmark in turn, each beside its peer. `python -m benchmarks NAME` runs one.

Absolute times drift on shared machines; what is printed and quoted are ratios of runs made in turn.
"""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "end_to_end", "quality_suite", "cleaning", "dagster_overhead", "identity", "lookalikes", "identity_scale",
    "billing", "load", "reconcile", "extract", "delta", "tick",
)  # fmt: skip


def main() -> int:
    """Run the named benchmarks, or all; the worst exit code of them."""
    chosen = sys.argv[1:] or list(BENCHMARKS)
    if unknown := set(chosen) - set(BENCHMARKS):
        sys.stderr.write(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    codes = []
    for name in chosen:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
