# Two commands set everything up: `make run` and `make test`. The others assume one of them has run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# One database and one cache for `make run`, so that it neither needs nor touches the user's own.
export AUTOTUNE_DB ?= $(CURDIR)/.autotune/autotune.db
export AUTOTUNE_CACHE ?= $(CURDIR)/.autotune/cache

.PHONY: run test lint docs bench clean browser

run: $(VENV)/.run  ## tune a matrix product and its gradients, print the table
	$(BIN)/autotune run matmul --size m=512,n=512,k=512 --trials 24 --time 105s --threads 1

test: $(VENV)/.test browser  ## the whole test suite, in two processes
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.test  ## linters, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.test  ## the pages of docs/ as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.test  ## the figures of README.md, into results/
	$(BIN)/autotune bench matmul --json results/matmul.json
	$(BIN)/autotune bench lookup --json results/lookup.json

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

# The CPU build of PyTorch is named by its version: a bare `torch` brings gigabytes of CUDA packages.
$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench,docs]'
	touch $@ $(VENV)/.run

# Tests of the dashboard need Debian's Chromium; where it cannot be installed they fail and say so.
browser:
	@command -v chromium >/dev/null || { \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo -n); \
	  $$sudo apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qq --no-install-recommends chromium >/dev/null; \
	} || echo "make: Chromium could not be installed; the tests in tests/dashboard will fail" >&2

clean:  ## remove what these commands made
	rm -rf $(VENV) .autotune build dist
