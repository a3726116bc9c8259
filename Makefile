# One command checks everything: make check

PYTHON ?= python

.PHONY: check format lint types test quick

check: lint types test

format:
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

test:  # in one run, so that no core waits between the quick tests and the slow ones
	$(PYTHON) -m pytest -m ''

quick:  # without the tests that train for their full length
	$(PYTHON) -m pytest
