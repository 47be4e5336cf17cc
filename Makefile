# `make` alone lists the targets. Everything runs from .venv; nothing else is touched.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# make test ARGS="-k queue -x"
ARGS ?=
# CI runs a test that failed once more, and its summary names it as RERUN.
AGAIN ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z%-]+: *.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(STAMP) ## Build .venv with the server and everything to develop it

$(STAMP): pyproject.toml .ci/install
	@sh .ci/install $(VENV)
	@touch $@

.PHONY: run
run: $(STAMP) ## Serve http://127.0.0.1:8000 from an embedded SQLite database
	@exec $(BIN)/presence-server serve $(ARGS)

# Protocol and core are measured by their own tests alone. The others run untraced: the state machine
# is three times slower under a tracer, and the browser's greenlets and a tracer may hang.
MACHINE := tests/core/test_room_machine.py
# One more than there are cores: many tests wait for servers and browsers.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
REST := $(filter-out tests/core/ tests/protocol/ tests/binary/ tests/__pycache__/,$(wildcard tests/*/)) $(wildcard tests/test_*.py)

.PHONY: test
test: $(STAMP) ## Run every test; every branch of protocol/ and core/ must be covered
	@sh .ci/test-needs
ifeq ($(strip $(ARGS)),)
	$(BIN)/pytest tests/protocol tests/core --ignore=$(MACHINE) \
		--cov=presence_server/protocol --cov=presence_server/core --cov-branch \
		--cov-report=term-missing:skip-covered --cov-fail-under=100
	$(BIN)/pytest -n $(WORKERS) --maxprocesses 6 --dist worksteal $(AGAIN) $(MACHINE) $(REST)
else
	$(BIN)/pytest $(ARGS)
endif

.PHONY: test-quick
test-quick: $(STAMP) ## Run the tests without browsers, with fewer Hypothesis examples
	$(BIN)/pytest --hypothesis-profile=quick -m 'not browser and not bench and not binary' $(ARGS)

# What the single file is made from; the rest of the repository does not touch it.
INPUTS := $(shell find presence_server migrations config deploy/packaging deploy/*.service \
	pyproject.toml -type f ! -name '*.pyc')
BUILT := build/binary/.built

$(BUILT): $(STAMP) $(INPUTS)
	$(BIN)/python deploy/packaging/build.py
	@touch $@

.PHONY: binary
binary: $(BUILT) ## Build dist/presence-server, one file that needs no Python

.PHONY: packages
packages: $(BUILT) ## Build the .deb and the .tar.gz, which hold the program as a folder
	build/binary/venv/bin/python deploy/packaging/package.py

.PHONY: dist
dist: $(STAMP) ## Build the wheel and the sdist
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		$(BIN)/python -m build --no-isolation --outdir dist .

.PHONY: npm
npm: ## Build the npm package presence-server-client into dist/ (needs Node.js)
	@sh .ci/make-npm

# The tests that start the server as a process of its own. They run a second time, with the
# single file in place of `python -m presence_server`.
BY_PROCESS := $(shell grep -lE 'server_process|server_command|refusal' tests/server/test_*.py \
	tests/cli/test_*.py tests/deploy/test_unit.py) \
	tests/e2e/test_browsers.py::test_two_people_see_each_other_point_and_change_status

.PHONY: test-binary
test-binary: $(STAMP) ## Build the single file and the packages, and run their tests
	sh .ci/test-needs
	$(MAKE) packages
	$(BIN)/pytest -n $(WORKERS) --maxprocesses 6 --dist worksteal $(AGAIN) tests/binary $(ARGS)
	SERVER_UNDER_TEST=dist/presence-server $(BIN)/pytest -n $(WORKERS) --maxprocesses 6 \
		--dist worksteal $(AGAIN) --deselect tests/server/test_kill.py $(BY_PROCESS) $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure this server and its peers, side by side (the peers are installed first)
	@$(BIN)/python -m benchmarks.peers.install
	$(BIN)/python -m benchmarks.peers $(ARGS)

bench-%: $(STAMP) ## Measure: bench-admission and the others in benchmarks/
	$(BIN)/python -m benchmarks.$(subst -,_,$*) $(ARGS)

.PHONY: soak
soak: $(STAMP) ## Half an hour of churn: does anything grow? ARGS=--model: is what clients see right?
	$(BIN)/python -m benchmarks.soak $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP) ## Look for bytes that make the server raise: ARGS="--minutes 10"
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[fuzz]' || true
	$(BIN)/python -m benchmarks.fuzz_yjs
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

.PHONY: check
check: $(STAMP) ## Lint, formatting, types of Python and JavaScript, import arrows, bundle
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@sh .ci/check-types
	@sh .ci/check-assets

.PHONY: assets
assets: ## Make dist/ and vendor/ in presence_server/web/static, which are kept in git (needs Node.js)
	@sh .ci/npm-install .ci/assets
	@node .ci/assets/build.mjs
	@node .ci/assets/vendor.mjs

.PHONY: format
format: $(STAMP) ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove the environment, caches and build products; data in var/ stays
	rm -rf $(VENV) .ci/*/node_modules build dist htmlcov .coverage .coverage.* *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find presence_server tests migrations benchmarks -type d -name __pycache__ -prune \
		-exec rm -rf {} + 2>/dev/null || true
