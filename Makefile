# `make run` opens the lab, `make test` checks all of it. Either sets up what it needs, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: help run test check format shots benchmark clean-venv
.DEFAULT_GOAL := help

help:            ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

run: $(VENV)/run.stamp  ## open the lab in the browser (PORT=8501)
	@echo "==> the lab opens at http://localhost:$(PORT); Ctrl-C ends it"
	@$(BIN)/streamlit run app.py --server.port $(PORT)

test: check      ## set up, then all checks: what CI runs

check: $(VENV)/dev.stamp  ## format, lint, types, import directions, all tests
	@echo "==> ruff: format"
	@$(BIN)/ruff format --check .
	@echo "==> ruff: lint"
	@$(BIN)/ruff check .
	@echo "==> mypy, strict, on facedet/"
	@$(BIN)/mypy
	@echo "==> tests"
	@$(BIN)/pytest

format: $(VENV)/dev.stamp  ## let ruff lay out and mend the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

shots: $(VENV)/dev.stamp  ## photograph every page: wide and narrow, light and dark, empty, loaded, failing
	@$(BIN)/python -m tools.shots

benchmark: $(VENV)/dev.stamp  ## run every benchmark; each prints what it measured
	@$(BIN)/python -m benchmarks

clean-venv:      ## throw the environment away
	rm -rf $(VENV)

$(BIN)/python:
	@echo "==> making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or later is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	@echo "==> installing what the lab needs; torch is large, this takes some minutes, once"
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@echo "==> installing the tools for the checks"
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@
