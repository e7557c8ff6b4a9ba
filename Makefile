# Every target makes what it needs; a second call costs nothing.
# Needed beforehand: Python 3.11 or newer, git, make. uv is used where it is found, and only makes it faster.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV := $(shell command -v uv 2>/dev/null)
ARGS ?=

.PHONY: help setup demo test lint check format lock bench bench-ingest bench-questions bench-connections \
	bench-clients bench-crash bench-instrumentation bench-fuzz bench-truth bench-lag bench-paths clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## setup    make .venv with everything pinned in requirements.lock
setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml instrumentation/pyproject.toml
ifdef UV
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -e . -e instrumentation
else
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . -e instrumentation
endif
	@touch $(STAMP)

## demo     broker, shop, collector and dashboard on this machine (ARGS="--tui", "--seconds 60", …)
demo: setup
	@$(BIN)/headwater demo $(ARGS)

## test     all tests; gets Apache Kafka, Java and a Chromium where it can (ARGS="-k lag", …)
test: setup
	@$(BIN)/python tests/prepare.py
	$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

## lint     format, ruff, mypy strict, import contracts
lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## check    lint and test
check: lint test

## format   put the code into shape
format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

## lock     renew requirements.lock (needs uv)
lock:
	uv lock --upgrade
	uv export --all-extras --all-packages --all-groups --no-emit-workspace --no-header --no-annotate \
		-o requirements.lock > /dev/null

## bench    all benchmarks
bench: bench-ingest bench-questions bench-connections bench-clients bench-crash bench-instrumentation

## bench-ingest  spans per CPU-second, acknowledgement times, bytes a span
bench-ingest: setup
	$(BIN)/python -m tests.bench.ingest $(ARGS)

## bench-connections  ten thousand connections at once, and a service that goes on sending
bench-connections: setup
	$(BIN)/python -m tests.bench.connections $(ARGS)
## bench-questions  how long questions take on a large store (ARGS="--spans 10000000")
bench-questions: setup
	$(BIN)/python -m tests.bench.questions $(ARGS)

## bench-clients  OpenTelemetry's SDKs and telemetrygen at both doors, span for span (needs npm and go)
bench-clients: setup
	$(BIN)/python -m tests.bench.clients $(ARGS)

## bench-crash  200 times kill -9 under load: every acknowledged span once (ARGS="--rounds 20", …)
bench-crash: setup
	$(BIN)/python -m tests.bench.crash $(ARGS)

## bench-instrumentation  what a span adds to a message, beside the floor and OpenTelemetry's own
bench-instrumentation: setup
	$(BIN)/python -m tests.bench.instrumentation $(ARGS)

## bench-fuzz  spoilt requests through both decoders: the same answer, nothing read beyond, memory steady
bench-fuzz: setup
	$(BIN)/python -m tests.bench.fuzz $(ARGS)

## bench-truth  100,000 orders of known fate: how well the ledger tells each state (ARGS="--orders 10000")
bench-truth: setup
	$(BIN)/python -m tests.bench.truth $(ARGS)

## bench-lag  how right lag time is, how soon faults are named, what polling and its history cost
bench-lag: setup
	$(BIN)/python -m tests.bench.lag $(ARGS)
	$(BIN)/python -m tests.bench.polling
	$(BIN)/python -m tests.bench.history

## bench-paths  critical path, slack and what-if of one large flow (ARGS="--spans 50000")
bench-paths: setup
	$(BIN)/python -m tests.bench.critical_path $(ARGS)

clean:
	rm -rf $(VENV) build dist
