# The two commands of the README, and the smaller steps they are made of.
#
#   make book [PROFILE=demo]   simulate, train, execute the notebooks, build the HTML book
#   make test                  lint, types, unit tests, and the smoke profile of the whole path
#
# Both set up .venv first. `make book` does only what is missing.

PROFILE ?= demo
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
SMOKE := _build/smoke

# One thread a process: the study runs one process a core, and two threads end in other bits.
export OMP_NUM_THREADS := 1

.PHONY: book test lint types unit smoke clean

book: $(READY)
	$(BIN)/rxrx book --profile $(PROFILE)

test: lint types unit smoke

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	rm -rf _build/lint && mkdir -p _build/lint
	for notebook in notebooks/*.md; do \
	  $(BIN)/jupytext --quiet --to py:percent --output _build/lint/$$(basename $$notebook .md).py $$notebook \
	    || exit 1; \
	done
	$(BIN)/ruff check _build/lint
	$(BIN)/ruff format --check --line-length 72 _build/lint  # no wider than the page shows

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest --numprocesses auto -m "not browser"

# From nothing, so that today's code is what runs; in a folder of its own, so that it leaves a book
# built by `make book` alone.
smoke: $(READY)
	rm -rf $(SMOKE) && mkdir -p $(SMOKE)
	cp -R _config.yml notebooks book results $(SMOKE)
	cd $(SMOKE) && $(CURDIR)/$(BIN)/rxrx book --profile smoke
	BOOK_HTML=$(SMOKE)/_build/html $(BIN)/pytest -m browser

clean:
	rm -rf _build book/chapters data runs
