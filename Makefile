# Keepwell's task list. `make` alone prints it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: docs help setup browser superset bank benchmark run test lint format policy-check policy-diff rfm-cuts risk-reference sql status rollback down airflow lock lock-images secrets compose-up compose-down compose-test audit clean
MAKEFLAGS += --no-print-directory

ifneq ($(wildcard .env),)
include .env
ENV_NAMES := $(shell sed -nE 's/^([A-Z_]+)=.*/\1/p' .env)
# make keeps the blanks between a value and the comment behind it.
$(foreach name,$(ENV_NAMES),$(eval $(name) := $$(strip $$(value $(name)))))
export $(ENV_NAMES)
endif

SOURCE ?= $(or $(KEEPWELL_SOURCE),demo)
TARGET ?= $(or $(KEEPWELL_TARGET),postgres)
export KEEPWELL_SOURCE := $(SOURCE)
export KEEPWELL_TARGET := $(TARGET)
# A query may hold a $ that is not make's.
override Q := $(value Q)
export Q

# Airflow, dbt and Great Expectations take seconds to import where their bytecode may not be kept.
unexport PYTHONDONTWRITEBYTECODE

# Where and how a synthetic bank is made: `.venv/bin/python -m simulator --help` tells what each option does.
HOME_OF_ALL := $(or $(KEEPWELL_HOME),var)
BANK := $(or $(patsubst %/,%,$(OUT)),$(HOME_OF_ALL)/landing/bank)
BANK_TRUTH := $(or $(TRUTH),$(if $(OUT),$(BANK).truth,$(HOME_OF_ALL)/truth/bank))
BANK_OPTIONS := SCALE CUSTOMERS MONTHS SEED END DIRT FORMAT EVERY DELIVERIES

UV_VERSION := 0.13.9
UV := $(or $(shell command -v uv),.venv/.uv/bin/uv)
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

help:  ## this list
	@echo "make <target> [SOURCE=demo|berka|canonical] [LANDING=<dir>] [AS_OF=<date>] [TARGET=postgres|duckdb]"
	@sed -nE 's/^([a-z-]+):.*##  ?(.*)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'

setup: .venv/.synced  ## the environment in .venv, locked with hashes; nothing to do when it stands
.venv/.synced: requirements.lock
	@{ test -x $(PY) || python3.11 -m venv --without-pip .venv; \
	test -x $(UV) || { python3.11 -m venv .venv/.uv && .venv/.uv/bin/pip install --quiet uv==$(UV_VERSION); }; \
	$(UV) pip sync --quiet --python $(PY) --require-hashes requirements.lock; touch $@; } >&2

browser:  ## a Chromium for the tests that open the report
	@.ci/browser

superset: .venv/superset/.synced  ## Apache Superset in .venv/superset, locked with hashes, for the tests that open its dashboards
.venv/superset/.synced: docker/superset/requirements.lock .venv/.synced
	@{ test -x .venv/superset/bin/python || $(UV) venv --quiet --python $(PY) .venv/superset; \
	$(UV) pip sync --quiet --python .venv/superset/bin/python --require-hashes $<; touch $@; } >&2

bank: setup  ## a synthetic bank (SCALE or CUSTOMERS, MONTHS, SEED, END, DIRT, FORMAT=csv, EVERY=month, DELIVERIES, OUT, TRUTH)
	@$(PY) -m simulator --out "$(BANK)" --truth "$(BANK_TRUTH)" $(foreach option,$(BANK_OPTIONS),\
		$(if $($(option)),--$(shell echo $(option) | tr A-Z a-z) "$($(option))"))

benchmark: setup  ## B="build --scale 0.01 --target duckdb": one benchmark; B=--help lists them
	@$(PY) -m benchmarks $(B)

run: setup  ## files to published marts and a report, through Airflow (SOURCE, LANDING, AS_OF, TARGET, REPORT_LANG)
	@$(PY) -m keepwell run --source "$(SOURCE)" --landing "$(LANDING)" --as-of "$(AS_OF)" --target "$(TARGET)"

test: setup browser superset lint  ## linters and all tests
	@$(PY) -m pytest --numprocesses 2 --dist loadfile

lint: setup policy-check  ## linters and checks that need no data
	@ruff check .
	@ruff format --check .
	@mypy
	@yamllint --strict .
	@sqlfluff lint --disable-progress-bar dbt_project
	@dbt --quiet --warn-error-options '{"error": ["Deprecations"]}' parse --no-partial-parse --show-all-deprecations \
		--project-dir dbt_project --profiles-dir dbt_project --target duckdb

format: setup  ## write the code as the linters want it
	@ruff check --fix . && ruff format . && sqlfluff fix --disable-progress-bar dbt_project

policy-check: setup  ## refuses policy seeds that are not total, overlap or do not add up
	@$(PY) -m policy check

policy-diff: setup  ## whom the policy seeds would move, on the newest published snapshot (AS_IF=<date>, CSV=<file>)
	@$(PY) -m policy diff $(if $(AS_IF),--as-if "$(AS_IF)") $(if $(CSV),--csv "$(CSV)")

rfm-cuts: setup  ## rows for policy_rfm_cuts.csv, fitted on the published day AS_OF
	@$(PY) -m policy rfm-cuts --as-of "$(AS_OF)"

risk-reference: setup  ## rows for the seeds of the risk index, fitted on the published day AS_OF
	@$(PY) -m policy risk-reference --as-of "$(AS_OF)"

sql: setup  ## Q="select ...": the answer as CSV on stdout
	@$(PY) -m warehouse sql "$$Q"

status: setup  ## what is loaded and published
	@$(PY) -m warehouse status

rollback: setup  ## publish the run before the newest one again
	@$(PY) -m warehouse rollback

docs: setup  ## dbt's documentation of the warehouse as one page: models, columns, lineage (SOURCE, TARGET)
	@$(PY) -m keepwell docs

down: setup  ## stop what a run started
	@$(PY) -m warehouse down

airflow: setup  ## Airflow's pages and scheduler on localhost; Ctrl-C stops them
	@$(PY) -m keepwell airflow

lock: setup  ## resolve requirements.in into requirements.lock
	@$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		requirements.in -o requirements.lock

# The images' locks follow the project's: an Airflow image of other versions than those tested would prove nothing.
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock-images: setup  ## resolve docker/*/requirements.in into the locks of the images
	@sed '/^# tests and linters/,$$d' requirements.in | $(COMPILE) --constraint requirements.lock \
		- docker/airflow/requirements.in -o docker/airflow/requirements.lock
	@$(COMPILE) docker/mlflow/requirements.in -o docker/mlflow/requirements.lock
	@$(COMPILE) docker/superset/requirements.in -o docker/superset/requirements.lock
	@echo "uv==$(UV_VERSION)" | $(COMPILE) --no-annotate - -o docker/uv/requirements.lock

secrets:  ## random passwords and keys in ./secrets, those that are missing; for docker compose
	@python3 docker/make_secrets.py "$(or $(KEEPWELL_SECRETS),secrets)"

compose-up: secrets  ## the whole stack in containers, up to the first published marts (docs/operations.md)
	@docker compose up --detach --build
	@docker compose logs --no-log-prefix --follow first-run
	@for task in first-run dashboards-init; do \
		code=$$(docker inspect --format '{{.State.ExitCode}}' $$(docker compose ps --all --quiet $$task)); \
		[ $$code = 0 ] || { echo "$$task ended with $$code: docker compose logs $$task" >&2; exit $$code; }; done

compose-down:  ## stop the stack; its volumes stay
	@docker compose --profile celery down

compose-test: setup browser  ## the stack from secrets to marts, dashboards and restarts, beside any stack in use; half an hour
	@$(PY) -m pytest tests/compose/stack.py --numprocesses 0 -s

audit: setup  ## known vulnerabilities of what the locks name; fails where an advisory source does not answer
	@failed=0; for lock in requirements.lock docker/*/requirements.lock; do echo "$$lock" >&2; \
		$(UV) tool run --quiet pip-audit --strict --require-hashes --disable-pip --requirement "$$lock" || failed=1; \
		done; exit $$failed

clean:  ## remove the environment and caches; data in KEEPWELL_HOME stays
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
