# Everything a newcomer or a maintainer does here. Needs make and any Python from 3.10 on; the rest goes into $(VENV).
#
#   make demo       install, then a completion that streams from an emulated server
#   make test       install with all extras, check, lint and test all that this machine can run
#   make lint       format, lint, types, layers, and whether generated/ is what schema/ says
#   make generate   write generated/ anew from schema/
#   make check      only: is generated/ what schema/ says?
#   make fuzz       throw changed frames and bytes at everything that reads them; SECONDS=600, TARGETS="emulator superjson"
#   make audit      ask for known vulnerabilities of all that is installed here; fails where it cannot tell
#   make bench      measure what users pay, against other clients; FIGURES="stream rpc" chooses, see benchmarks/README.md
#   make clean      remove the environment, what tests installed, and caches
#
# PYTHON=python3.12 chooses the interpreter, VENV=folder the environment, TESTS="tests/runtime -k cancel" the tests.

SHELL := /bin/sh
PYTHON ?=
VENV ?= .venv
TESTS ?=
FIGURES ?=
SECONDS ?= 600
TARGETS ?=
PIP = $(VENV)/bin/python -m pip --disable-pip-version-check

# A Python that is too old, a launcher without its version behind it: only running them tells.
CANDIDATES = $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python3.10 python)
FITS = import sys; sys.exit(sys.version_info < (3, 10))
HAS_VENV = import venv, ensurepip

.PHONY: demo test lint generate check fuzz audit bench clean

demo: $(VENV)/.installed-demo
	$(VENV)/bin/lmwire demo

test: lint
	$(VENV)/bin/python -m pytest $(TESTS)

lint: $(VENV)/.installed-all
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/pyright --pythonpath $(VENV)/bin/python
	$(VENV)/bin/lmwire-codegen check
	$(VENV)/bin/python -m pytest -q tests/layers

generate: $(VENV)/.installed-all
	$(VENV)/bin/lmwire-codegen generate

check: $(VENV)/.installed-all
	$(VENV)/bin/lmwire-codegen check

fuzz: $(VENV)/.installed-all
	$(VENV)/bin/python -m tests.fuzzing --seconds $(SECONDS) $(TARGETS)

# Our own two distributions are no dependencies, and pip-audit would fail for not finding them.
audit: $(VENV)/.installed-all
	$(PIP) install --quiet -e '.[audit]'
	$(PIP) freeze --exclude-editable > $(VENV)/audited.txt
	$(VENV)/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off -r $(VENV)/audited.txt

bench: $(VENV)/.installed-bench
	$(VENV)/bin/python -m benchmarks $(FIGURES)

clean:
	rm -rf $(VENV) .interop build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: an installation is repeated only when what it depends on has changed.
$(VENV)/.installed-demo: pyproject.toml sdk/pyproject.toml | $(VENV)/bin/python
	@echo "lmwire: installing into $(VENV)"
	$(PIP) install --quiet -e '.[cli]' -e ./sdk
	@touch $@

$(VENV)/.installed-all: pyproject.toml sdk/pyproject.toml | $(VENV)/bin/python
	@echo "lmwire: installing into $(VENV), with all extras; a minute or two the first time"
	$(PIP) install --quiet -e '.[cli,codegen,test]' -e ./sdk
	@touch $@ $(VENV)/.installed-demo

$(VENV)/.installed-bench: $(VENV)/.installed-all
	$(PIP) install --quiet -e '.[bench]'
	@touch $@

$(VENV)/bin/python:
	@found=; bare=; \
	for python in $(CANDIDATES); do \
	    "$$python" -c '$(FITS)' >/dev/null 2>&1 || continue; \
	    if "$$python" -c '$(HAS_VENV)' >/dev/null 2>&1; then found=$$python; break; fi; \
	    bare=$${bare:-$$python}; \
	done; \
	if [ -z "$$found" ] && [ -n "$$bare" ]; then \
	    echo "lmwire: $$bare comes without venv or ensurepip. Install them (Debian, Ubuntu: apt install python3-venv)," \
	         "or name another Python: make PYTHON=/path/to/python3" >&2; exit 1; \
	elif [ -z "$$found" ]; then \
	    echo "lmwire: no Python 3.10 or newer found; tried: $(strip $(CANDIDATES))." \
	         "Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; \
	fi; \
	echo "lmwire: setting up $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
