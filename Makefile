# Two commands do all the set-up: `make run` and `make test`. Python 3.11 or later is all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= paperfleet-state
SAM ?= sam
RUNS ?= 3
# In the order of the folders: what waits for processes comes first, and no long file last.
QUICK = $(BIN)/python -m pytest -m 'not slow' -n 3 --dist loadfile --no-loadscope-reorder
FIGURES = rate_limits "growth 34237" "export_rate 50000" shard_million "peers --peers paperfleet litellm --scenarios 1000 --calls 4000" "paired --against 0.1"
SITE = $(BIN)/sphinx-build -q -W --keep-going -n docs docs/_build

# Modules are compiled once, not in every process of the tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test coverage quick slow examples mutations figures check docs bench format clean build local-aws sam-local

help: ## This list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What runs is an eighth of what the tests need.
RUNNABLE = $(if $(wildcard $(VENV)/.ready),$(VENV)/.ready,$(VENV)/.runnable)
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c .ci/constraints.txt

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runnable: pyproject.toml .ci/constraints.txt | $(VENV)/bin/pip
	@echo "Installing Paperfleet and the libraries that it runs with into $(VENV), 80 MB:"
	$(INSTALL) -e '.[demo]'
	@touch $@

$(VENV)/.ready: pyproject.toml .ci/constraints.txt | $(VENV)/bin/pip
	@echo "Installing Paperfleet and the tools of its tests into $(VENV), 800 MB: two minutes."
	$(INSTALL) -e '.[dev]'
	@touch $@

run: $(RUNNABLE) ## Translate the shipped corpus with the built-in model server (a gloss).
	@$(BIN)/paperfleet run --sample --state $(STATE) || [ $$? -eq 3 ]

test: check quick slow ## All checks and tests.

quick: $(VENV)/.ready ## The tests without whole runs and kills.
	$(QUICK)

slow: $(VENV)/.ready ## Whole runs and kills; every property on ten times as many examples, and growth at the whole size.
	$(BIN)/python -m pytest -m 'slow and not alone' -n 3 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m 'slow and alone'
	$(BIN)/python -m pytest -m '(hypothesis or growth) and not slow' --hypothesis-profile thorough -n 3 --dist worksteal

examples: $(VENV)/.ready ## Every property on examples that nobody has tried.
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile new -n 3 --dist worksteal

coverage: $(VENV)/.ready ## What the quick tests reach.
	$(BIN)/coverage erase
	$(BIN)/coverage run $(subst $(BIN)/python,,$(QUICK))
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutations: $(VENV)/.ready ## Whether the quick tests catch faults that are put in on purpose.
	$(BIN)/python -m tests.mutations

figures: $(VENV)/.ready ## Benchmarks that take minutes, a file each, into figures/.
	@mkdir -p figures
	@for line in $(FIGURES); do \
		name="$${line%% *}"; $(BIN)/python -m tests.benchmarks.$$line > "figures/$$name.txt" || exit 1; cat "figures/$$name.txt"; done

check: $(VENV)/.ready ## Format, lint, types, imports, documentation.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check
	$(SITE)

docs: $(VENV)/.ready ## Write the reference anew from the code, and the site into docs/_build.
	$(BIN)/python -m docs.generate
	$(SITE)

bench: $(VENV)/.ready ## Peers on one bench: each in an environment of its own; tables and picture of docs/benchmarks.md; RUNS=1 for a quick look.
	$(BIN)/python -m tests.benchmarks.peers --runs $(RUNS) --page docs/benchmarks.md

format: $(VENV)/.ready ## Put the code in shape.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

build: ## The Lambda artifact (sam build); PARAMETERS="Architecture=x86_64" and the like.
	$(SAM) build $(if $(PARAMETERS),--parameter-overrides "$(PARAMETERS)")
	@# A function cannot write bytecode, so each cold start would compile half a second's worth of modules.
	$(PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash .aws-sam/build/*Function

local-aws: $(VENV)/.ready ## The shipped corpus through SQS, DynamoDB and S3 of a local server.
	@$(BIN)/python -m tests.e2e.local_aws_run

sam-local: $(RUNNABLE) ## Each function with each event of events/ in the containers of SAM: engine, image, local AWS and model server included.
	@$(BIN)/python -m tests.e2e.sam_local

clean: ## Remove the environment and what tests left.
	rm -rf $(VENV) docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* figures
