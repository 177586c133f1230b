# The commands of a working day. Everything is installed into .venv from requirements.lock; nothing else is touched.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)
# Where byte-code is not to be written, each of the tests' processes compiles every library anew.
export PYTHONDONTWRITEBYTECODE :=
.DEFAULT_GOAL := help
# What `kedge` imports: without byte-code, and an installer writes none, a short check takes twice as long.
IMPORTED := numpy pyarrow scipy/special scipy/_lib scipy/__init__.py scipy/version.py pydantic pydantic_core annotated_types typing_extensions.py typing_inspection typer yaml jinja2 markupsafe rich annotated_doc shellingham boto3 botocore s3transfer urllib3
.PHONY: help install demo demo-adopt browser test slow faults check tests beside lint synth bench layers deploy lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

install: .venv/installed ## the virtual environment
	@$(BIN)/python -m compileall -q cli kedge lambdas report

.venv/installed: requirements.lock
	@test -x $(BIN)/uv || { $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Kedge needs Python 3.11 or newer; set PYTHON=python3.x"; exit 1; }; $(PYTHON) -m venv .venv; $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9; }
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@printf '#!/bin/sh\nPYTHONPATH="$(CURDIR):$$PYTHONPATH" exec "$(CURDIR)/$(BIN)/python" -m cli "$$@"\n' > $(BIN)/kedge && chmod +x $(BIN)/kedge
	@echo "compiling what the commands import"
	@cd $(BIN)/../lib/python3*/site-packages && $(CURDIR)/$(BIN)/python -m compileall -q -j 0 -x '/tests/|stubs' $(IMPORTED) >/dev/null || true
	@touch $@

demo: install ## two years of hotel bookings through the whole loop, offline; writes build/demo/
	$(BIN)/python -m demo

demo-adopt: install ## an endpoint of another team is adopted, watched for six weeks, and drifts; writes build/demo-adopt/
	$(BIN)/python -m demo.adopt

test: install ## every test but the slow ones
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

browser: install ## Chromium and axe-core from npm, below .browser/, for the tests of the pages; says why where they cannot be had
	@$(BIN)/python -m tests.browser

slow: install browser ## the slow ones: long replays, full sizes, every image
	@# Only the files that have one: each worker would import all of them, a third of what it takes to begin.
	$(BIN)/python -m pytest -n auto --dist loadfile -m slow $$(grep -rl --include='test_*.py' 'mark\.slow' tests)

faults: install ## every fault at every state and every call; `make slow` walks a sample. Hours; writes build/faults.json
	$(BIN)/python -m tests.faults

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: install ## what CI runs: lint and synth, which need one core, beside the tests
	@$(MAKE) -j 2 tests beside

# Parts of check: what is named here runs one after the other.
tests:
	@$(MAKE) test
	@$(MAKE) slow
beside:
	@$(MAKE) lint
	@$(MAKE) synth

synth: install ## templates into cdk.out/, with cdk-nag
	$(BIN)/python app.py

bench: install ## what Kedge costs, beside its peers; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

layers: install ## the Lambda layers for deploying, into build/layers/
	$(BIN)/python -m stacks.parts.layers

deploy: install layers ## cdk deploy of all stacks, of all stages if there are any, into the account of your AWS credentials
	$(BIN)/npx --yes aws-cdk@2.1148.1 deploy '**'

lock: ## resolve requirements*.txt into requirements.lock
	$(BIN)/uv pip compile requirements.txt requirements-dev.txt --universal --python-version 3.11 --generate-hashes --quiet -o requirements.lock

clean: ## what the other commands built
	rm -rf build cdk.out
