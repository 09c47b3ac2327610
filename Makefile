# Needs Python 3.11 or newer, with its venv module, and nothing else. `make help` lists what can be done.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help up test check fix bench fuzz install web web-if-possible
# Six processes are one Dragoman, and tests start many: without bytecode on disk each of them compiles all sources anew.
unexport PYTHONDONTWRITEBYTECODE

# A name on the PATH may be a shim that starts nothing: only a Python that runs and says its version counts.
PYTHON ?= $(shell for name in python3.13 python3.12 python3.11 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$name"; break; }; done)

VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-input --quiet
TEST_PROCESSES ?= 2
NPM := $(VENV)/bin/python web/npm.py
BUILT := src/dragoman/web/index.html
WEB_SOURCES := $(shell find web -type f -not -path 'web/node_modules/*' -not -name openapi.json -not -name schema.d.ts)
PYTHON_SOURCES := $(shell find src/dragoman -name '*.py')
DOCS := $(wildcard README.md docs/reference/*.md docs/how-to/*.md)

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

up: $(VENV)/installed-run web-if-possible ## Start everything on this machine; Ctrl-C stops it. DRAGOMAN_HOME and DRAGOMAN_PORT are respected
	@exec $(VENV)/bin/dragoman up $(ARGS)

test: $(VENV)/installed-dev web ## Run the tests; ARGS="-k name" chooses
	$(NPM) test
	$(VENV)/bin/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/installed-dev $(VENV)/installed-node web/openapi.json ## Lint, types, import rules, fresh generated docs, secrets, known vulnerabilities; changes nothing
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	@$(MAKE) --no-print-directory --jobs 2 $(WHOLE_OUTPUTS) check-pages check-types check-rules

# Parts of `check` that run side by side, the longest first. They change nothing that another of them reads.
.PHONY: check-pages check-types check-rules
WHOLE_OUTPUTS := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

check-pages:
	$(NPM) run check

check-types:
	$(VENV)/bin/python -m mypy

check-rules:
	$(VENV)/bin/lint-imports
	$(if $(DOCS),$(VENV)/bin/python -m cogapp --check $(DOCS))
	$(VENV)/bin/python checks/secrets.py
	$(VENV)/bin/python checks/dependencies.py

fix: $(VENV)/installed-dev $(VENV)/installed-node web/openapi.json ## Mend what can be mended: lint, format, generated docs
	$(VENV)/bin/python -m dragoman.client.twin
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .
	$(NPM) run types
	$(NPM) run fix
	$(if $(DOCS),$(VENV)/bin/python -m cogapp -r $(DOCS))

bench: $(VENV)/installed-dev ## Measure speed, memory and quality; ARGS chooses
	$(VENV)/bin/python -m benchmarks $(ARGS)

fuzz: $(VENV)/installed-dev ## Send what nobody foresaw to every operation, as each role, for 20 minutes; ARGS="-k owner" chooses
	DRAGOMAN_TEST_FUZZ_S=1200 $(VENV)/bin/python -m pytest tests/api/test_fuzz.py -s $(ARGS)

install: $(VENV)/installed-run web ## Install without starting anything

web: $(BUILT) ## Build the web application; Node comes from the machine, or from a package where that is none or too old

# Whoever cannot reach npm's registry still has the API, the command line and /docs.
web-if-possible: $(VENV)/installed-run
	@$(MAKE) --no-print-directory web || echo "The web application could not be built: the reason stands above. Dragoman starts without it; \`make web\` tries again." >&2

$(BUILT): $(VENV)/installed-node web/openapi.json $(WEB_SOURCES)
	@echo "Building the web application."
	@$(NPM) run --silent build

# The types of its client are made from the API: what does not fit any more fails the build. The document keeps its time
# where nothing in it changed, so that not every change of the service builds the pages again.
web/openapi.json: $(VENV)/openapi ;

$(VENV)/openapi: $(VENV)/installed-run $(PYTHON_SOURCES)
	@$(VENV)/bin/dragoman openapi --output $@
	@cmp -s $@ web/openapi.json || cp $@ web/openapi.json

$(VENV)/installed-node: $(VENV)/installed-run web/package-lock.json web/npm.py requirements/web.lock
	@echo "Fetching the packages that the web application is built with."
	@$(NPM) ci --loglevel error
	@touch $@

# The stamps are newer than the lock files as long as nothing changed; then pip is not even started.
$(VENV)/installed-run: pyproject.toml requirements/run.lock
	@test -n "$(PYTHON)" || { echo "Dragoman needs Python 3.11 or newer; none was found. Install it, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Installing Dragoman into $(VENV) with $(PYTHON). This is done once and takes some minutes."
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP) install --require-hashes -r requirements/run.lock
	@$(PIP) install --no-deps --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-run requirements/dev.lock requirements/test-models.lock
	@echo "Installing the developer's tools into $(VENV)."
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --require-hashes --no-deps -r requirements/test-models.lock
	@touch $@
