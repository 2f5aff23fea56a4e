# Each target makes its own virtual environment in .venv from requirements.lock; nothing has to be activated.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-all faults ui check bench bench-identity bench-billing clean-state

demo: $(READY)
	@$(BIN)/cutover demo $(ARGS)

# Whole migrations share one plan's databases, so they run one after the other. The slow ones are test-all's.
test: $(READY)
	@$(BIN)/python -m pytest -n 2 --ignore=tests/pipeline -m "not slow and not faults" $(ARGS)
	@$(BIN)/python -m pytest tests/pipeline -m "not slow" $(ARGS)

test-all: test
	@$(BIN)/python -m pytest -m slow $(ARGS)

# Kills, lost connections, bad networks and disks, damaged copies, two at once, histories of deltas and rollbacks, planted
# differences: all cases (docs/faults.md has the table). Two workers share them, and who has done with its half takes of
# the other's; each has databases of its own.
FAULTS := tests/faults tests/stages/golden_copy/test_delta.py tests/stages/load/test_loaded_deltas.py \
	tests/stages/reconcile/test_reconcile_mutants.py tests/stages/rollback/test_histories.py
faults: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(FAULTS) $(ARGS)

ui: $(READY)
	@$(BIN)/cutover ui $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

bench: $(READY)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-identity: $(READY)
	@$(BIN)/python -m benchmarks identity lookalikes

bench-billing: $(READY)
	@$(BIN)/python -m benchmarks billing

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] >= (3, 11) else "Cutover needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
