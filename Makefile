# `make help` lists the targets. Everything runs inside .venv, which is created and kept current on the way.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The newest Python of 3.11 and later that is at hand; PYTHON=... chooses another.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
# The platform and its tests are dozens of processes: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# One more than cores: tests wait for processes and for time-outs, too.
WORKERS ?= 3

# Gates look at code and settings alone; nothing listens behind these addresses.
KEY := k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
GATE_ENV := DATABASE_URL=postgresql://finops_web:gate@127.0.0.1:1/finops REDIS_URL=redis://127.0.0.1:1/0 \
	FINOPS_SECRET_KEY=$(shell printf 'gate-%.0s' 1 2 3 4 5 6 7 8 9 10)0123456789 \
	FINOPS_FIELD_KEYS=$(KEY) FINOPS_TOKEN_KEYS=$(KEY)
TEST_ENV := $(GATE_ENV) DJANGO_SETTINGS_MODULE=finops.settings.test
PRODUCTION_ENV := $(GATE_ENV) DJANGO_SETTINGS_MODULE=finops.settings.production \
	FINOPS_BASE_URL=https://finops.example FINOPS_ALLOWED_HOSTS=finops.example

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
		/^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo

##@ Run

run: install-base ## The whole platform in the foreground: engines, sandbox, web, worker, stream, beat
	@exec $(BIN)/python -m finops run

tour: install-base ## A client's journey through the running platform
	@$(BIN)/python -m finops tour

code: install-base ## The staff user's current one-time code
	@$(BIN)/python -m finops code

manage: install-base ## manage.py against the running platform: make manage do="shell"
	@$(BIN)/python -m finops manage $(do)

##@ Test

test: install-dev ## The whole test suite
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(args)

prove: install-dev ## The long proofs in full
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m prove $(args)

fuzz: install-dev ## Requests made up from the OpenAPI document, ten minutes long: make fuzz args="--seconds 60 --seed 7"
	@$(BIN)/python -W ignore -m tests.fuzz $(args)

bench: install-bench ## Every benchmark with its peer in the same run
	@$(BIN)/python -m benchmarks $(args)

##@ Quality

check: install-dev ## Every static gate
	@$(MAKE) -k check-format check-lint check-types check-layers check-migrations check-deploy check-api check-audit \
		&& echo "Every gate passed."

format: install-dev ## Format and sort imports
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

screenshots: install-dev ## docs/images from the running platform (needs Chromium)
	@$(BIN)/python -m docs.screenshots

lock: install-base ## Compile requirements/*.in to requirements/*.txt with hashes
	@for name in base dev bench; do \
		$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header \
			--python-version 3.11 requirements/$$name.in --output-file requirements/$$name.txt || exit 1; done

event-docs: install-dev ## docs/events.md and docs/event_schemas.json out of the catalogue of event types
	@$(TEST_ENV) $(BIN)/python -m docs.event_types

##@ Data

reset: install-base ## Delete what `make run` made under FINOPS_HOME and start afresh next time
	@$(BIN)/python -m finops reset

clean: ## Delete caches and .venv, but no data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles

# The gates of `make check`, each alone.
check-format:
	@echo "— format" && $(BIN)/ruff format --check --quiet .

check-lint:
	@echo "— lint" && $(BIN)/ruff check --quiet .

check-types:
	@echo "— types" && $(TEST_ENV) $(BIN)/mypy --no-error-summary .

check-layers:
	@echo "— layers" && $(BIN)/lint-imports --no-logo > .venv/layers.log || { cat .venv/layers.log; exit 1; }

check-migrations:
	@echo "— migrations" && $(TEST_ENV) $(BIN)/python -W ignore manage.py makemigrations --check --dry-run

check-deploy:
	@echo "— deployment" && $(PRODUCTION_ENV) $(BIN)/python manage.py check --deploy --fail-level WARNING

check-api:
	@echo "— OpenAPI" && $(TEST_ENV) $(BIN)/python manage.py spectacular --validate --fail-on-warn \
		--format openapi-json --file .venv/openapi.json && $(BIN)/openapi-spec-validator .venv/openapi.json

# A known vulnerability fails; an index that cannot be reached does not, but it is said.
check-audit:
	@echo "— audit" && $(BIN)/pip-audit --require-hashes --disable-pip --progress-spinner off --timeout 10 \
		-r requirements/base.txt > .venv/audit.log 2>&1 || { \
		! grep -qE 'Found [0-9]+ known vulnerabilit' .venv/audit.log || { cat .venv/audit.log; exit 1; }; \
		echo "not audited: no index of vulnerabilities can be reached"; }
	@skipped=$$(grep -c 'could not be audited' .venv/audit.log); \
		test "$$skipped" = 0 || echo "not audited: $$skipped packages, which the index at hand does not know"

# What is installed is known by a copy of the lock inside .venv.
install-base install-dev install-bench: install-%: venv
	@cmp -s requirements/$*.txt .venv/installed-$*.txt || { \
		echo "Installing requirements/$*.txt" && \
		$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/$*.txt && \
		cp requirements/$*.txt .venv/installed-$*.txt; } || { echo "The installation failed, as shown above;" \
		"finops needs Linux with glibc 2.28 or later (x86-64, ARM64) or macOS (ARM64): elsewhere use docker compose."; \
		exit 1; }

venv:
	@test -n "$(PYTHON)" || { echo "finops needs Python 3.11 or later: install it, or name it with PYTHON=..."; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Creating .venv with $$($(PYTHON) --version)" && rm -rf .venv && $(PYTHON) -m venv .venv; } || { \
		rm -rf .venv; echo "Cannot create .venv: install Python's venv module (Debian: apt install python3-venv)."; exit 1; }
	@test -x $(BIN)/uv || { echo "Installing uv" && $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }

.PHONY: help run tour code manage test prove fuzz bench check format screenshots lock reset clean venv \
	check-format check-lint check-types check-layers check-migrations check-deploy check-api check-audit \
	install-base install-dev install-bench
