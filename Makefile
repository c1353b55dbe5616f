# Everything that people and CI run. Each target sets up what it needs: Python 3.11 or later, make and a package index
# are enough.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TYPES  := build/types

# Two workers with one torch thread each: what two cores do fastest. `make test PYTEST_WORKERS=0` runs in one process,
# `make test ARGS="-k expressions -x"` hands ARGS to pytest.
PYTEST_WORKERS  ?= 2
PYTEST_PARALLEL := $(if $(filter-out 0,$(PYTEST_WORKERS)),-n $(PYTEST_WORKERS) --dist loadfile)
PYTEST          := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PYTEST_PARALLEL)
ARGS            ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test quick lint types docs bench wheel clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## make .venv and install codecspec into it, editable (once, and after pyproject.toml changed)

demo: $(STAMP) ## code a real photograph with WACNN, decode it in another process, compare
	$(BIN)/python -m codecspec.cli.demo

test: $(STAMP) ## run all tests
	$(PYTEST) $(ARGS)

quick: $(STAMP) ## run the tests that are fast: neither golden nor slow
	$(PYTEST) -m "not golden and not slow" $(ARGS)

lint: $(STAMP) ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## check types, strictly
	@# The folders are one package only once installed; mypy is shown that package as links.
	@rm -rf $(TYPES) && mkdir -p $(TYPES)/codecspec
	@for name in $(notdir $(wildcard codecspec/*.py)) py.typed cli; do ln -s "$(CURDIR)/codecspec/$$name" $(TYPES)/codecspec/; done
	@for name in schema compiler runtime specs; do ln -s "$(CURDIR)/$$name" $(TYPES)/codecspec/; done
	MYPYPATH=$(TYPES) $(BIN)/mypy -p codecspec

docs: $(STAMP) ## build the documentation, strictly, into build/site (to search it: python -m http.server -d build/site)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

bench: $(STAMP) ## measure how fast the five large models code, beside CompressAI (half an hour; the machine should rest)
	$(BIN)/python benchmarks/models.py $(ARGS)

wheel: $(STAMP) ## build the wheel, into dist/
	@rm -rf build/lib build/bdist.* dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

clean: ## remove what was built and cached; .venv stays
	rm -rf build dist ./*.egg-info demo-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	@python=$(BIN)/python; test -x $$python || python=$(PYTHON); \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "codecspec needs Python 3.11 or later, and $$python is $$($$python --version 2>&1)." \
	         "Say which to use: rm -rf $(VENV); make venv PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing codecspec and what it needs into $(VENV). The first time this downloads torch: some 3 GB, minutes."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,docs]'
	@# What pip does for all that it installs, but not for what stays where it is: the bytecode, so that every command starts faster.
	@$(BIN)/python -m compileall -q schema compiler runtime specs codecspec
	@touch $@
