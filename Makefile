# Everything from a fresh checkout: only python3 (>= 3.11, with venv), make and git are needed.
PYTHON ?= python3
VENV := .venv
PORT ?= 8100
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Tests that compute run beside tests that wait, and give way to them.
COMPUTING := $(addprefix tests/,acceptance aliases audit cli compat core)
COMPUTED := $(VENV)/tests-that-compute.log

.PHONY: help run test computing waiting check setup browser matrix bench audit-quality clean
help:            ## what can be made
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

run: setup       ## the golden path at a printed local address
	@PYTHONPATH=examples/goldenpath $(BIN)/python -m goldenpath --port $(PORT)

test: check      ## every check and every test
	@$(MAKE) --no-print-directory --keep-going -j2 waiting computing
	@command -v "$${GOLDENPATH_CHROMIUM:-chromium}" >/dev/null || echo "*** NO CHROMIUM HERE: the browser tests were SKIPPED. To run them: make browser ***"

waiting:
	@$(BIN)/python -m pytest $(COMPUTING:%=--ignore=%)

computing:
	@nice $(BIN)/python -m pytest -o cache_dir=$(VENV)/pytest_cache $(COMPUTING) >$(COMPUTED) 2>&1; code=$$?; cat $(COMPUTED); exit $$code

check: setup     ## ruff, mypy, import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

setup: $(STAMP)  ## .venv with the pinned packages
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "canonid needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "this Python has no venv; on Debian: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

browser:         ## Debian's Chromium, for the browser test
	@command -v chromium >/dev/null || { \
	  if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	  else echo "make browser: no chromium here and no right to install it; as root: apt-get install chromium"; fi; }

matrix: setup    ## the library's tests on the other supported Pythons that are found
	@for version in 3.12 3.13; do \
	  command -v python$$version >/dev/null && python$$version -c '' 2>/dev/null || { echo "python$$version: not found, skipped"; continue; }; \
	  $(MAKE) --no-print-directory setup VENV=.venv-$$version PYTHON=python$$version && \
	  .venv-$$version/bin/python -m pytest -q -m 'not browser' || exit 1; \
	done

bench: setup     ## canonid beside other ways: cleaning up, scopes, WebSockets, IDs of other libraries, the audit
	@$(BIN)/python benchmarks/cleanup.py --quick
	@$(BIN)/python benchmarks/scopes.py --quick
	@$(BIN)/python benchmarks/soak.py --quick
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@$(BIN)/python benchmarks/websockets.py --quick
	@$(BIN)/python benchmarks/ids.py --quick
	@$(BIN)/python benchmarks/audit.py --quick

audit-quality: setup  ## recall and precision of the audit over its labelled corpus
	@$(BIN)/python tests/audit/quality.py

clean:           ## forget the environment and what the golden path stored
	rm -rf $(VENV) .venv-3.1* var .mypy_cache .ruff_cache .pytest_cache .hypothesis
