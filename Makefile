# Each target sets up what it needs, from nothing, into .venv, and skips what is up to date.
SHELL := /bin/bash
BIN := .venv/bin
export PYTHON

.PHONY: help demo test lab lint messages format bench proofs lock clean
help:
	@echo "make demo    simulate a lender, run every stage on it, write the reports"
	@echo "make lab     JupyterLab on the notebooks"
	@echo "make test    every test; make lint, make format"
	@echo "make bench   the figures of bench/"
	@echo "make proofs  the long proofs: many loans, random books, broken deliveries, killed imports, 20 lenders, other settings, exports on 200,000 odd rows"
	@echo "make messages  the words of the reports into workbench/locale/zh.po; lists what is not translated"
	@echo "make lock    new versions into the locks and environment.yml"
	@echo "make clean   remove .venv and caches (data, models and reports stay)"

demo:
	@.ci/setup core
	@$(BIN)/workbench demo $(ARGS)

lab:
	@.ci/setup core
	@$(BIN)/workbench lab $(ARGS)

test:
	@.ci/setup test
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

lint:
	@.ci/setup test
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports >/dev/null || $(BIN)/lint-imports
	@echo "lint: clean"

messages:
	@.ci/setup test
	@$(BIN)/python .ci/messages.py

format:
	@.ci/setup test
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

bench:
	@.ci/setup test
	@for name in overhead ceiling load sizes indicators binning scoring report; do echo "== bench/$$name.py"; $(BIN)/python -m bench.$$name || exit 1; done

proofs:
	@.ci/setup test
	@PROOF_ROWS=200000 $(BIN)/python -m pytest -q tests/models/test_export.py
	@for name in coverage forecasts dpd broken kills appends random_books calibration lender settings; do echo "== bench/$$name.py"; $(BIN)/python -m bench.$$name || exit 1; done

lock:
	@.ci/setup test
	@$(BIN)/uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --output-file requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --constraints requirements.lock --output-file requirements-test.lock
	@$(BIN)/python .ci/environment.py

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build dist *.egg-info
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
