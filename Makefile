# A thin front over the CMake presets (CMakePresets.json). `make help` lists what there is.
#
# Every target that compiles runs tools/setup.sh first, which installs what the machine lacks and costs a
# fraction of a second when it lacks nothing. SETUP=skip leaves the system alone.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
PYTHON ?= python3
# How far back `make lint` looks for changed C++ files, and how long clang-tidy may take, in seconds.
LINT_SINCE ?= HEAD~20
LINT_BUDGET ?= 300
# How long `make fuzz` gives each target, in seconds.
FUZZ_SECONDS ?= 30
CTEST_FLAGS ?=

SETUP ?= run
export SETUP PYTHON

VENV := .venv
CXX_FILES = $(shell git ls-files -co --exclude-standard -- '*.cc' '*.h')
SHELL_FILES = $(shell git ls-files -co --exclude-standard -- '*.sh') .ci/run

configure = cmake --preset $(1) --log-level=WARNING
# Everything there is to look at; nanobind comes from the environment.
TIDY_OPTIONS = -DXET_BENCH=ON -DXET_PYTHON=ON -DPython_EXECUTABLE=$(CURDIR)/$(VENV)/bin/python
compile = $(call configure,$(1)) && cmake --build --preset $(1) -j $(JOBS)
run_tests = ctest --preset $(1) -j $(JOBS) $(CTEST_FLAGS)

.PHONY: setup
setup: ## install the Debian packages that building and testing need
	@tools/setup.sh build

.PHONY: build
build: setup ## programs and libraries, optimised, into build/release/bin
	$(call compile,release)

.PHONY: demo
demo: setup ## serve a store, upload a real model and an edited copy, by `xet` and by `hf`, fetch both, show what was saved
	$(call compile,release) --target xet
	@$(PYTHON) tools/demo.py --xet build/release/bin/xet

.PHONY: test
test: setup test-venv ## all tests, optimised and again under ASan and UBSan, fuzz corpora and the Python module included
	$(call compile,release)
	$(call compile,dev)
	$(call run_tests,release)
	$(call run_tests,dev)
	@$(PYTHON) tests/python/run.py

.PHONY: test-python
test-python: setup ## the Python module and huggingface_hub, against ours and the genuine one (part of `make test`)
	$(call compile,release) --target xet
	@$(PYTHON) tests/python/run.py $(PYTHON_TEST_FLAGS)

.PHONY: tsan
tsan: setup ## the tests labelled `concurrency` under ThreadSanitizer
	$(call compile,tsan) --target xet_concurrency_tests
	$(call run_tests,tsan)

.PHONY: interop
interop: ## every genuine Xet program against ours, in both directions (INTEROP_FLAGS are passed on)
	@tools/setup.sh build interop
	$(call compile,release) --target xet e2e_generate
	@$(PYTHON) tests/interop/run.py $(INTEROP_FLAGS)

.PHONY: load
load: setup ## 64 clients on one server, which is killed meanwhile: nothing acknowledged is lost (LOAD_FLAGS are passed on)
	$(call compile,release) --target xet
	@$(PYTHON) tests/load/run.py --xet build/release/bin/xet $(LOAD_FLAGS)

.PHONY: bench
bench: setup ## Google Benchmark programs (BENCH_FLAGS are passed on)
	$(call compile,bench)
	@set -e; for program in build/bench/bin/*_bench; do echo "== $$program"; "$$program" $(BENCH_FLAGS); done

.PHONY: bench-peer
bench-peer: ## speed and memory against the genuine programs, as Markdown tables (BENCH_FLAGS)
	@tools/setup.sh build interop bench
	$(call compile,release) --target xet e2e_generate
	@$(PYTHON) bench/peer.py --xet build/release/bin/xet $(BENCH_FLAGS)

.PHONY: fuzz
fuzz: ## run each libFuzzer target for FUZZ_SECONDS from its corpus
	@tools/setup.sh build fuzz
	$(call configure,fuzz)
	@tools/fuzz.sh build/fuzz $(FUZZ_SECONDS) $(JOBS)

.PHONY: lint
lint: lint-setup ## format, clang-tidy on recently changed files, shellcheck, ruff, layer table
	@echo "clang-format"; clang-format-19 --dry-run --Werror $(CXX_FILES)
	@echo "shellcheck"; shellcheck --external-sources $(SHELL_FILES)
	@echo "ruff"; $(VENV)/bin/ruff check --quiet . && $(VENV)/bin/ruff format --quiet --check .
	@echo "layers"; $(PYTHON) tools/check_layers.py
	@$(call configure,tidy) $(TIDY_OPTIONS)
	@echo "clang-tidy, files changed since $(LINT_SINCE)"; \
	  $(PYTHON) tools/tidy.py --build-dir build/tidy --jobs $(JOBS) --since $(LINT_SINCE) --budget $(LINT_BUDGET)

.PHONY: tidy
tidy: lint-setup ## clang-tidy on every file, without a time limit
	@$(call configure,tidy) $(TIDY_OPTIONS)
	@$(PYTHON) tools/tidy.py --build-dir build/tidy --jobs $(JOBS)

.PHONY: format
format: lint-setup ## rewrite C++ and Python files in the project's format
	clang-format-19 -i $(CXX_FILES)
	$(VENV)/bin/ruff format --quiet .
	$(VENV)/bin/ruff check --quiet --fix .

.PHONY: install
install: build ## into PREFIX (default /usr/local)
	cmake --install build/release --prefix $(PREFIX)

.PHONY: wheel
wheel: ## the wheels of hf_xet into dist/, built and tried with every CPython there is (WHEEL_FLAGS are passed on)
	@tools/setup.sh build wheel
	@$(PYTHON) tools/wheel.py $(WHEEL_FLAGS)

.PHONY: newcomer
newcomer: ## prove the README: `make demo`, `make test` and `pip install .` in a fresh Debian 12 root (as root)
	@tools/setup.sh newcomer
	@tools/newcomer.sh

.PHONY: clean
clean: ## remove build/, dist/ and .venv/
	rm -rf build dist $(VENV)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
	  printf '  make %-12s %s\n' "$$name" "$$text"; done

.PHONY: lint-setup test-venv
lint-setup:
	@tools/setup.sh build lint
	@tools/venv.sh lint

# Without an index the tests that need the genuine wheel fail on their own, saying so; the others still run.
test-venv: setup
	@tools/venv.sh test || echo "make: the genuine hf-xet could not be installed; its tests will say so" >&2
