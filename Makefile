# Two commands do all the set-up: `make run` and `make test`. Python 3.11 or later is all they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= paperfleet-state
STACK ?= paperfleet
SAM ?= sam

.DEFAULT_GOAL := help
.PHONY: help run test coverage quick check bench format clean build environment output local-aws

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
	$(BIN)/python -m pytest

coverage: $(VENV)/.ready ## What the tests reach; tracing slows them, so the tests that hold time to the text's length are left out.
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m 'not slow' -k 'not megabyte and not hostile and not linear'
	@$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

quick: $(VENV)/.ready ## The tests without whole runs and kills.
	$(BIN)/python -m pytest -m 'not slow'

check: $(VENV)/.ready ## Format, lint, types, imports.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.ready ## Peers on one bench: each in an environment of its own; the README's table and picture.
	$(BIN)/python -m tests.benchmarks.peers --readme README.md

format: $(VENV)/.ready ## Put the code in shape.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

build: ## The Lambda artifact (sam build); PARAMETERS="Architecture=x86_64" and the like.
	rm -rf build *.egg-info
	$(SAM) build $(if $(PARAMETERS),--parameter-overrides "$(PARAMETERS)")
	@# A function cannot write bytecode, so each cold start would compile half a second's worth of modules.
	$(PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash .aws-sam/build/*Function

environment: ## Settings of the deployed STACK, for `eval`.
	@aws cloudformation describe-stacks --stack-name $(STACK) --output text --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' \
	| awk 'BEGIN { print "export PAPERFLEET_BACKEND=aws" } \
	$$1 == "QueueUrl" { print "export PAPERFLEET_QUEUE_URL=" $$2 } $$1 == "DeadLetterUrl" { print "export PAPERFLEET_DEAD_LETTER_URL=" $$2 } \
	$$1 == "TableName" { print "export PAPERFLEET_TABLE=" $$2 } $$1 == "BucketName" { print "export PAPERFLEET_BUCKET=" $$2 }'

output: ## One output of the deployed STACK: make output KEY=ApiKeySecret
	@aws cloudformation describe-stacks --stack-name $(STACK) --output text --query "Stacks[0].Outputs[?OutputKey=='$(KEY)'].OutputValue"

local-aws: $(VENV)/.ready ## The shipped corpus through SQS, DynamoDB and S3 of a local server.
	@$(BIN)/python -m tests.e2e.local_aws_run

clean: ## Remove the environment and what tests left.
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*
