# Two commands do all the set-up: `make run` and `make test`. Python 3.11 or later is all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= paperfleet-state

.DEFAULT_GOAL := help
.PHONY: help run test quick check format clean

help: ## This list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: pyproject.toml .ci/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c .ci/constraints.txt -e '.[dev]'
	@touch $@

run: $(VENV)/.ready ## Translate the shipped corpus with the built-in model server (a gloss).
	@$(BIN)/paperfleet run handlers/corpus/sample.jsonl --state $(STATE) --run-id sample || [ $$? -eq 3 ]

test: $(VENV)/.ready check ## All checks and tests.
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=85

quick: $(VENV)/.ready ## The tests without whole runs and kills.
	$(BIN)/python -m pytest -m 'not slow'

check: $(VENV)/.ready ## Format, lint, types, imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready ## Put the code in shape.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove the environment and what tests left.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
