# SPDX-License-Identifier: MIT
# Copyright the OAC authors
#
# The front door: each target says in a few words what it does, and calls the
# tool that does it. Only packaging and people need to read further than help.

MAKEFLAGS += --no-print-directory

CHECK := python3 scripts/check.py
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
CARDS ?= 6

# The data of the demo comes with the tree or is fetched into the build.
DIGITS := $(firstword $(wildcard examples/digits/*.csv.gz examples/digits/*.csv \
	examples/digits/data/*.csv.gz) build/data/digits.csv.gz)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

.PHONY: deps-build deps-check
deps-build:
	@bash scripts/install-deps.sh build
deps-check:
	@bash scripts/install-deps.sh build check vm

.PHONY: build
build: deps-build ## library, emulated card, tools, examples and tests, in build/
	@cmake --preset default --log-level=WARNING >/dev/null
	@cmake --build --preset default -j $(JOBS)

.PHONY: demo
demo: build $(DIGITS) ## handwritten digits on six emulated cards
	ACCEL_EMU=$(CARDS) build/examples/digits/digits --cards $(CARDS) \
		--firmware build/firmware/oac1.fw --data $(DIGITS) --json build/demo.json

build/data/digits.csv.gz:
	@bash scripts/fetch-digits.sh $@

.PHONY: check
check: deps-check ## every check and test: what CI runs
	@$(CHECK)

.PHONY: coverage
coverage: deps-check ## the lines that tests run in module, emulated card, library and tools
	@python3 scripts/coverage.py

# check-NAME runs the stages of that name in the table of scripts/check.py.
.PHONY: check-unit check-abi check-api check-asan check-tsan check-fuzz check-vm check-debug
check-unit: deps-build ## unit tests
	@$(CHECK) --only unit
check-abi: deps-build ## tests of the kernel's ABI that need no kernel
	@$(CHECK) --only abi
check-api: deps-build ## API tests, in-process and over a socket
	@$(CHECK) --only api,api-socket
check-asan: deps-build ## all of these under address and undefined-behaviour sanitizers
	@$(CHECK) --only asan
check-tsan: deps-build ## all of these under the thread sanitizer
	@$(CHECK) --only tsan
check-fuzz: deps-check ## fuzz targets, FUZZ_SECONDS=60 each
	@$(CHECK) --only fuzz
check-vm: deps-check ## the module on stock kernels in virtual machines
	@$(CHECK) --only vm
check-debug: deps-check ## the same on a kernel with KASAN, lockdep and failing memory; not part of check
	@$(CHECK) --only debug

.PHONY: faults
faults: build deps-check ## every fault in this process and on two kernels: docs/faults.md
	@$(CHECK) --only faults
	@for kernel in 6.12 7.3; do tests/vm/run.py --kernel $$kernel --cards 2 --suite faults \
		--name $$kernel-faults-2 || exit; done
	@scripts/faults-table.py

.PHONY: check-arrows check-format check-lint check-install
check-arrows: ## each room includes only what it points to
	@scripts/check-arrows.py --self-test
	@scripts/check-arrows.py
check-format: deps-check ## formatting, licence lines, length of functions
	@scripts/check-format.sh
	@scripts/check-spdx.sh
	@scripts/check-functions.py
check-lint: build deps-check ## shellcheck, cppcheck, clang-tidy
	@scripts/check-lint.sh
check-install: build ## what an installation would hold, tried in an empty directory
	@scripts/check-install.sh

.PHONY: bench bench-quick
bench: build ## every performance figure over its floor: build/bench.json, docs/performance.md
	@bash scripts/install-deps.sh bench vm
	@bench/run.py
bench-quick: build ## proves in a minute that all of it can be measured; no verdicts
	@bench/run.py --quick

.PHONY: module
module: ## the kernel module for the running kernel
	$(MAKE) -C kernel

.PHONY: install
install: deps-build ## library, headers and tools to $(DESTDIR)$(PREFIX)
	@cmake --preset default -D CMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build --preset default -j $(JOBS)
	cmake --install build

.PHONY: pre-push
pre-push: ## the very script that CI runs
	@.ci/run

.PHONY: clean
clean: ## removes what was built
	rm -rf build build-asan build-tsan
	@if [ -f kernel/Makefile ] && ls kernel/*.o >/dev/null 2>&1; then $(MAKE) -C kernel clean; fi
