# Every target runs in .venv, made from uv.lock. Where uv is not on PATH, pip puts one into .tools. Nothing needs root.
PYTHON ?= python3
DEMO_DIR ?= tollbook-demo
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := $(UV) run --no-sync
export UV_PROJECT_ENVIRONMENT := .venv

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-large lint format type bench all clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.synced ## Bill a seeded world and find every planted fault (DEMO_DIR=tollbook-demo)
	$(RUN) tollbook demo --dir $(DEMO_DIR)

test: .venv/.synced ## Run the default suite (ARGS="-k ledger" for a part of it)
	$(RUN) pytest -n auto --dist worksteal $(ARGS)

test-slow: .venv/.synced ## Run the longer suites: crashes, rebuilds, every variant (TOLLBOOK_SLOW_SECONDS=360 for a part)
	$(RUN) pytest -n auto --dist worksteal -m slow $(ARGS)

test-large: .venv/.synced ## Run the tests at full size, minutes for each
	$(RUN) pytest -n auto --dist worksteal -m large $(ARGS)

lint: .venv/.synced ## Check style and formatting
	$(RUN) ruff check
	$(RUN) ruff format --check

format: .venv/.synced ## Format the code and mend what can be mended by itself
	$(RUN) ruff check --fix
	$(RUN) ruff format

type: .venv/.synced ## Check the types
	$(RUN) mypy

bench: .venv/.synced ## Measure speed and memory (ARGS="--rows 1000000")
	$(RUN) python -m bench $(ARGS)

all: lint type test ## What a change must pass

clean: ## Remove what the targets made: .venv, .tools and caches, not the demo
	rm -rf .venv .tools .mypy_cache .pytest_cache .ruff_cache .hypothesis dist

.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked --compile-bytecode
	@touch $@

.tools/bin/uv:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target .tools uv
