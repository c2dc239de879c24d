# `make help` lists what there is. Needs only python3 (3.11 or later) with pip, and make.

PYTHON ?= python3
PORT   ?= 8000
MINUTES ?= 10
VENV   := .venv
RUN    := $(VENV)/bin/python
# What reads the settings without touching a server. Names nobody would answer to.
STATIC := DATABASE_URL=postgres:///none CELERY_BROKER_URL=redis:///0 SECRET_KEY=for-reading-the-settings-only-0123456789-abcdef

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

# By export, not in the recipe: then make starts Python itself, and a signal to make reaches it and not a shell.
demo up doctor: export PORT := $(PORT)

.PHONY: demo
demo: $(VENV)/ready  ## place hundreds of real orders and photographs on a scratch system, check the reckoning (PORT=8000)
	@$(RUN) manage.py demo

.PHONY: up
up: $(VENV)/ready  ## run the whole system on var/ with demo users, until Ctrl-C (PORT=8000)
	@$(RUN) manage.py up

.PHONY: doctor
doctor: $(VENV)/ready  ## say what is missing or wrong on this machine, and how to mend it
	@$(RUN) manage.py doctor

.PHONY: test
test: lint types check chromium pytest  ## everything that must hold before a change is merged

.PHONY: lint
lint: $(VENV)/ready  ## ruff, the import contracts, the templates
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports
	git ls-files -z '*.html' | xargs -0 $(VENV)/bin/djade --check --target-version 5.2

.PHONY: types
types: $(VENV)/ready  ## mypy, strict
	$(STATIC) $(RUN) -m mypy manage.py proj orders media reports

.PHONY: check
check: $(VENV)/ready  ## Django's own checks, and no migration left unmade
	$(RUN) manage.py check --fail-level WARNING
	$(RUN) manage.py makemigrations --check --dry-run

.PHONY: pytest
pytest: $(VENV)/ready  ## the tests, two at a time
	$(RUN) -m pytest -n 2 --dist loadgroup

.PHONY: chromium
chromium: $(VENV)/ready
	@$(RUN) -m tests.browser.chromium

.PHONY: screenshots
screenshots: $(VENV)/ready chromium  ## every page as a picture, in light, dark and on a phone, in var/screenshots
	$(RUN) -m tests.browser.screenshots

.PHONY: chaos
chaos: $(VENV)/ready  ## every fault and scenario, each also with its guard off, then ten minutes of all at random (MINUTES=10)
	CHAOS=long $(RUN) -m pytest tests/chaos
	$(RUN) -m tests.chaos --minutes $(MINUTES)

.PHONY: format
format: $(VENV)/ready  ## put the code in the form that lint asks for
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .
	git ls-files -z '*.html' | xargs -0 $(VENV)/bin/djade --target-version 5.2

COMPILE := $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes
.PHONY: lock
lock: $(VENV)/ready  ## write both requirements files from pyproject.toml (UPGRADE=--upgrade: newer versions)
	$(COMPILE) $(UPGRADE) -o requirements.txt
	$(COMPILE) $(UPGRADE) --group dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean:  ## delete what can be made again: caches, demo and test state (var/ of `make up` stays)
	rm -rf var/demo var/test staticfiles .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean  ## and the virtual environment
	rm -rf $(VENV)

# The outer pip installs into the environment, because Debian's python3 cannot make one with pip in it unless
# python3-venv is there too. Every wheel is checked against its hash.
$(VENV)/ready: requirements-dev.txt
	@echo "Installing into $(VENV) (a minute or two the first time)"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m pip --version > /dev/null || { echo "pip is needed: apt install python3-pip"; exit 1; }
	@$(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(RUN) install --quiet --disable-pip-version-check --no-warn-script-location \
		--root-user-action ignore --require-hashes -r requirements-dev.txt
	@touch $@
