# iop4d: `make demo` and `make test` set up all that they need, in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=
JOBS ?= 4
# Each test that starts a program would compile all of it again.
export PYTHONDONTWRITEBYTECODE :=

DOCS := $(VENV)/.docs
.PHONY: docs demo test lint pytest bench accuracy bench-alerts bench-pages kill-test chaos cluster mutants real-servers every-screen every-case test-postgresql notebooks lock release-check image clean help

help:  ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "iop4d needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,dev]'
	touch $@

demo: $(STAMP)  ## A simulated observatory, the daemon and the live page; ARGS="--speed 30 --for 2m"
	@exec $(BIN)/iop4d demo $(ARGS)

test: lint pytest  ## Lint, types, import contracts and tests

lint: $(STAMP)  ## Style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# First the tests are compiled, once, as all four processes would do it at the same time.
pytest: $(STAMP)  ## The tests alone, four files at a time, as many of them wait; ARGS="-k name", JOBS=0 for one process
	$(BIN)/python -m pytest --collect-only --quiet --quiet $(ARGS) > /dev/null || true  # the next line says what is wrong
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(STAMP)  ## Speed, stage by stage, and memory; ARGS="--frames 200", ARGS="--scale": as a site grows, ARGS="--large": 61 Mpx, ARGS="--reprocessing": new frames meanwhile
	$(BIN)/python -m tests.bench.speed $(ARGS)

bench-alerts: $(STAMP)  ## What alerts are worth: false, missed, late, too many; ARGS="--short"
	$(BIN)/python -m tests.bench.alerts $(ARGS)

bench-pages: $(STAMP)  ## What the pages cost on a large database, and under load; ARGS="--repeat 3"
	$(BIN)/python -m tests.bench.pages $(ARGS)

accuracy: $(STAMP)  ## Accuracy against the simulator's truth; ARGS="--nights 12", or "--hard": hard nights
	$(BIN)/python -m tests.bench.accuracy $(ARGS)

kill-test: $(STAMP)  ## Kill the daemon again and again; ARGS="--kills 50"
	$(BIN)/python -m tests.bench.killing $(ARGS)

chaos: $(STAMP)  ## Kills, crashes, damaged files, a state machine; an hour; ARGS="--short"
	$(BIN)/python -m tests.bench.chaos $(ARGS)

cluster: $(STAMP)  ## Dask with workers and scheduler killed, against local processes; ARGS="--short"
	$(BIN)/python -m tests.bench.cluster $(ARGS)

real-servers: $(STAMP)  ## Get FTP, SSH, mail and web servers that other people wrote, from Debian packages; test with them
	@sh tests/support/get_servers.sh $(CURDIR)/.real-servers
	IOP4D_REAL_SERVERS=required $(BIN)/python -m pytest -q -n 2 --dist load tests/real_servers

test-postgresql: $(STAMP)  ## The tests on a PostgreSQL server of their own, which is installed or of make real-servers
	IOP4D_TESTS_ON=postgresql $(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

every-screen: $(STAMP)  ## Every page in Chromium on three screens, light and dark, with axe-core
	IOP4D_EVERY_SCREEN=1 $(BIN)/python -m pytest -q -rs tests/web/test_every_page.py

every-case: $(STAMP)  ## The tests of alerts that try many cases of a property, with all of them
	IOP4D_EVERY_CASE=1 $(BIN)/python -m pytest -q -n 2 --dist load tests/alerts/atel/test_sentences.py \
		tests/alerts/test_summary_alerts.py tests/alerts/test_summary_scheduler.py

mutants: $(STAMP)  ## Change the code in one place at a time: does a test notice? ARGS="NAME ...", ARGS="--short"
	$(BIN)/python -m tests.bench.mutants $(ARGS)

notebooks: $(STAMP)  ## Run every notebook of docs/ as a plain script; ARGS="polarimetry"
	$(BIN)/python -m tests.bench.notebooks $(ARGS)

docs: $(STAMP) $(DOCS)  ## The documentation as pages, in build/docs/html; ARGS="--no-notebooks"
	$(BIN)/python docs/sphinx/build.py $(ARGS)

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

release-check: $(STAMP)  ## Wheel and sdist, each Python, an ordinary account; ARGS="--lowest", ARGS="--short"
	$(BIN)/python -m tests.bench.wheel $(ARGS)

image: $(STAMP)  ## The container image, built from the wheel and used, where podman or docker works; ARGS="--short"
	$(BIN)/python -m tests.bench.image $(ARGS)

lock: $(STAMP)  ## Write constraints.txt from what is installed
	$(BIN)/python -m pip freeze --exclude-editable > constraints.txt

clean:  ## Remove what was set up
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
