# Everything runs in a virtual environment of the checkout; PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: setup demo test lint bench clean

setup: $(VENV)/installed

$(VENV)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -e ".[dev]"
	touch $@

demo: setup
	$(RUN) main.py --config=configs/memae_ped2.py:demo --workdir=runs/demo

test: setup
	$(RUN) -m pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile

lint: setup
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

bench: setup  # after `pip install -r requirements-bench.txt` beside its peers too
	$(RUN) -m benchmarks

clean:
	rm -rf $(VENV) runs
