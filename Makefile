# Every target does its own set-up; nothing but Python >= 3.11, make and the package registries is needed.
# test-peers also installs Debian packages with apt-get (as root, or through sudo).

PYTHON ?= python3
VENV := .venv
TRAIN_VENV := .venv-train
BIN := $(VENV)/bin
TRAIN_BIN := $(TRAIN_VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check
DEMO_OUT := out/demo
FUZZ_SECONDS ?= 30

.PHONY: demo test fuzz test-peers test-training lint bench lock page clean

demo: $(VENV)/.runtime
	$(BIN)/radiolucent demo --out $(DEMO_OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz_doors.py --seconds $(FUZZ_SECONDS)

lint: $(VENV)/.dev
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

test-peers: $(VENV)/.ray
	sh tests/peers/install.sh
	$(BIN)/python -m pytest -m peers tests

# Builds the page into src/radiolucent/web/static; needs Node. Everything else takes the committed build.
page: frontend/node_modules/.package-lock.json
	cd frontend && npm run --silent check && npm run --silent build

frontend/node_modules/.package-lock.json: frontend/package-lock.json
	cd frontend && npm ci

test-training: $(TRAIN_VENV)/.train
	$(TRAIN_BIN)/python -m pytest -m training tests/training

bench: $(TRAIN_VENV)/.train
	$(TRAIN_BIN)/python -m benchmarks

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml requirements/runtime.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/runtime.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) --no-deps --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/dev.txt
	touch $@

$(VENV)/.ray: $(VENV)/.dev requirements/ray.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/ray.txt
	touch $@

$(TRAIN_VENV)/.train: pyproject.toml requirements/train.txt requirements/runtime.txt
	$(PYTHON) -m venv $(TRAIN_VENV)
	$(TRAIN_BIN)/python -m pip install $(PIP_FLAGS) torch==2.14.1 torchvision==0.29.1
	$(TRAIN_BIN)/python -m pip install $(PIP_FLAGS) -r requirements/train.txt
	$(TRAIN_BIN)/python -m pip install $(PIP_FLAGS) --no-deps --editable .
	touch $@

lock: $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) uv
	UV=$(BIN)/uv sh requirements/lock.sh

clean:
	rm -rf $(VENV) $(TRAIN_VENV) out build dist frontend/node_modules
