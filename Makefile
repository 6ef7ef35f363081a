# `make` prints what there is. Every job first sees to its virtual environment, which is made anew
# when it is missing, and brought up to date when pyproject.toml or constraints.txt changed.
# Another place for it: make test VENV=/somewhere/else

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
RUNS ?= runs
RUN ?=
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
# That a folder may take precedence over an installed package of its name is what is wanted here.
INSTALL := PYTHONWARNINGS='ignore:Editable installation' \
	$(VENV)/bin/python -m pip install --quiet --no-compile -c constraints.txt
# pip leaves it to Python to compile what is imported. Were that not kept, each start would take three times as long.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install train evaluate test coverage lint audit notebooks docs dist

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## make the virtual environment (.venv)

train: $(STAMP) ## train an agent; options: make train ARGS="--help"
	$(VENV)/bin/python train.py $(ARGS)

evaluate: $(STAMP) ## judge the newest run; another one: make evaluate RUN=runs/NAME
	@run="$(RUN)"; \
	if [ -z "$$run" ]; then run=$$(ls -td $(RUNS)/*/ 2>/dev/null | head -n 1); fi; \
	if [ -z "$$run" ]; then echo "No run in $(RUNS)/ yet: call 'make train' first." >&2; exit 1; fi; \
	set -x; $(VENV)/bin/python evaluate.py "$${run%/}" $(ARGS)

test: $(STAMP) ## run the tests; some of them: make test ARGS="tests/data -x"
	$(VENV)/bin/python -m pytest $(ARGS)

coverage: $(STAMP) ## run the tests, and print which share of each file they run, without what numba compiles
	$(INSTALL) pytest-cov
	$(VENV)/bin/python -m pytest --cov=bundlegym $(ARGS)

notebooks: $(STAMP) ## execute the notebooks in full; one of them: make notebooks ARGS=03
	$(VENV)/bin/python examples/notebooks/run.py $(ARGS)

lint: $(STAMP) ## ruff and mypy
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

audit: $(STAMP) ## look for known holes in dependencies, for secrets in the files, and list licences
	$(INSTALL) -e '.[audit]'
	@if $(VENV)/bin/python -c "import socket; socket.create_connection(('pypi.org', 443), 5)" 2>/dev/null; \
	then set -x; $(VENV)/bin/pip-audit --skip-editable --progress-spinner off; \
	else echo "pip-audit: pypi.org cannot be reached, so no dependency was looked up" >&2; fi
	git ls-files -z | xargs -0 $(VENV)/bin/detect-secrets-hook
	$(VENV)/bin/pip-licenses --from=mixed --summary --order=count
	$(VENV)/bin/pip-licenses --from=mixed --format=markdown --order=license

docs: $(DOCS_STAMP) ## the site of the documentation, in build/site
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --quiet
	@echo "Open build/site/index.html"

dist: $(STAMP) ## a wheel and an sdist in dist/, as an index would take them
	$(INSTALL) build twine
	rm -rf dist
	$(VENV)/bin/python -m build --outdir dist .
	$(VENV)/bin/python -m twine check --strict dist/*

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	@# The pip that Python brings may take twice as long for all the rest.
	$(INSTALL) pip
	$(INSTALL) -e '.[dev]'
	@touch $@

$(DOCS_STAMP): $(STAMP)
	$(INSTALL) -e '.[docs]'
	@touch $@
