# Everything runs in a virtual environment in this folder; nothing is installed outside of it.
# Marker files in it remember what was installed, until pyproject.toml changes.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: docs serve-docs demo demo-picture test test-files train-smoke bench bench-watermark lint check clean fuzz faults lock sbom

# A talking video from the demo inputs: needs only what `pip install .` installs.
demo: $(VENV)/.runtime
	$(BIN)/swaptalk generate --source demo/source.jpg --target demo/target.mp4 --audio demo/speech.opus \
		--output demo/out.mp4
	@echo "open demo/out.mp4"

# The first picture of README.md, from a fresh render of the demo: run it when weights or inputs have changed.
demo-picture: $(VENV)/.runtime
	$(BIN)/python benchmarks/demo_picture.py

# Third-party files that tests need besides those of the run-time; fetched once into the user's cache, then only verified.
TEST_FILES := sface lpips-alexnet lpips-vgg16 mobilenetv2 astronaut grace-hopper

# Programs that tests start find the package compiled. NumPy gets one thread, as in the command line: several tests run at
# once.
test: $(VENV)/.development test-files
	PYTHONDONTWRITEBYTECODE= OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test-files: $(VENV)/.development
	$(BIN)/swaptalk models pull --runtime --quiet $(TEST_FILES)

# Prepare, all training stages, export and generate on a tiny set; part of `test` too.
train-smoke: $(VENV)/.development test-files
	$(BIN)/python -m pytest tests/training/test_smoke.py --durations=8

# The tables of docs/reports/watermark.md: about an hour. What an earlier run has measured is not measured again.
bench-watermark: $(VENV)/.development
	$(BIN)/python -m benchmarks.watermark robustness
	$(BIN)/python -m benchmarks.watermark false-alarms --cpu-seconds 1200
	$(BIN)/python -m benchmarks.watermark cost
	$(BIN)/python -m benchmarks.watermark report

# Mutated files of all kinds: a few of each are part of `test`, this takes as long as is asked for.
MINUTES ?= 60
fuzz: $(VENV)/.development
	$(BIN)/python tests/fuzz/harness.py --minutes $(MINUTES) --report runs/fuzz.md

# Renders that are killed, run out of disk, lose their target, ...: counts in runs/faults.md.
faults: $(VENV)/.development
	$(BIN)/python -m benchmarks.faults --report runs/faults.md

lint: $(VENV)/.development docs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

# The documentation site, into build/site; broken links and unknown names are errors. While writing: make serve-docs.
docs: $(VENV)/.development
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "open build/site/index.html"

serve-docs: $(VENV)/.development
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve

check: lint test

# Speed and memory, into docs/reports/performance.md: all parts, or make bench PARTS="template resolution" ROUNDS=5.
bench: $(VENV)/.development
	$(BIN)/python -m benchmarks.speed $(PARTS) $(if $(ROUNDS),--rounds $(ROUNDS))

$(VENV)/.venv:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or newer is needed, this is " + sys.version) if sys.version_info < (3, 10) else 0'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@touch $@

# With LOCKED=1 first what is locked, by version and SHA-256; then the package itself, and what the lock leaves out.
$(VENV)/.runtime: pyproject.toml | $(VENV)/.venv
	$(if $(LOCKED),$(PIP) install --no-deps --require-hashes --requirement requirements/runtime.txt)
	$(PIP) install --editable .
	@touch $@

$(VENV)/.development: pyproject.toml | $(VENV)/.venv
	$(if $(LOCKED),$(PIP) install --no-deps --require-hashes --requirement requirements/test.txt)
	$(PIP) install --editable '.[train,eval,serve,cluster,dev]'
	@touch $@ $(VENV)/.runtime

# New locks, for all systems and Python versions at once, after pyproject.toml has changed. PyTorch is left out, since
# its wheels for processors only and those with CUDA have one version and different sums.
UNLOCKED := torch triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc \
	nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse \
	nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.10 --no-header --no-annotate \
	--constraint requirements/constraints.in pyproject.toml
lock: | $(VENV)/.venv
	$(PIP) install 'uv>=0.8'
	$(UV_COMPILE) --output-file requirements/runtime.txt
	$(UV_COMPILE) --extra train --extra eval --extra serve --extra cluster --extra dev --constraint requirements/runtime.txt \
		$(UNLOCKED:%=--no-emit-package %) --output-file requirements/test.txt

# What a run-time installation consists of, as CycloneDX.
sbom: $(VENV)/.runtime
	$(BIN)/swaptalk licences --sbom sbom.json

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build src/*.egg-info
	rm -f demo/out.mp4
