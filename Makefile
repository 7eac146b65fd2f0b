# Touchstone. `make run` and `make test` install what they need into .venv; nothing else on the machine is changed,
# except that `make test` installs a Chromium where there is none (see tests/browser/chromium.py).

PYTHON ?= python3
PORT ?= 8501
DATA ?= data
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
ROWS ?= 1000000

.PHONY: scorecards help run test test-cluster check format bench bench-rating bench-trainer bench-pages bench-dashboards bench-start bench-curation stress browser clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

run: $(VENV)/.installed  ## start web, worker and engine (PORT=8501 DATA=data)
	@TOUCHSTONE_PORT=$(PORT) TOUCHSTONE_DATA="$(abspath $(DATA))" PATH="$(abspath $(BIN)):$$PATH" $(BIN)/honcho start

test: $(VENV)/.installed-dev browser check  ## lint, types, unit, page, database and browser tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

test-cluster: $(VENV)/.installed-dev  ## installs Ray, and tries jobs and checks on two local nodes (some minutes)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-cluster.txt
	$(BIN)/python -m pytest tests/backend/jobs/test_ray_cluster.py tests/backend/jobs/test_ray_train.py tests/backend/curation/test_on_ray.py

check: $(VENV)/.installed-dev  ## lint, types and architecture, in seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py --durations=0 -p no:cacheprovider

format: $(VENV)/.installed-dev  ## bring the code into the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: bench-start bench-pages bench-trainer  ## every benchmark; each prints JSON

bench-start: $(VENV)/.installed-dev  ## cold start and memory of the web process
	$(BIN)/python -m tests.bench.bench_start

bench-pages: $(VENV)/.installed-dev  ## p95 of a page's rerun with 20 simulated sessions
	$(BIN)/python -m tests.bench.bench_pages

bench-dashboards: $(VENV)/.installed-dev  ## p95 of the leads' pages' queries (ROWS=1000000 ON=--postgres)
	$(BIN)/python -m tests.bench.bench_dashboards --rows $(ROWS) $(ON)

bench-curation: $(VENV)/.installed-dev  ## import and clean generated pairs: seconds, memory, what was found (ROWS=1000000 ON=--postgres)
	$(BIN)/python -m tests.bench.bench_curation --rows $(ROWS) $(ON)

bench-rating: $(VENV)/.installed-dev  ## the rating desk: key to next item, bursts, offline answers, 50 raters
	$(BIN)/python -m tests.bench.bench_rating

bench-trainer: $(VENV)/.installed-dev  ## trainer tokens/s against HF Trainer and TRL, in one run
	$(BIN)/python -m tests.bench.bench_trainer

stress: $(VENV)/.installed-dev  ## 32 raters, killed at random and some late, on 2,000 items, on both databases; prints JSON
	$(BIN)/python -m tests.bench.stress

scorecards: $(VENV)/.installed-dev  ## how good the detectors are on named data (needs ../shared/data; ONLY=text,abuse)
	@$(BIN)/python -m tests.bench.scorecards --only "$(ONLY)"

browser: $(VENV)/.installed-dev
	$(BIN)/python -m tests.browser.chromium

clean:  ## remove the virtual environment and caches; data stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis screenshots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Touchstone needs Python 3.11 or newer; set PYTHON=…")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.installed
