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

test: quick
	$(PYTHON) -m pytest -m slow

quick:  # without the tests that train for their full length
	$(PYTHON) -m pytest
