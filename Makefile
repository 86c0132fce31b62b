# Each command does all the set-up it needs, and none of it twice.
.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-grpc bench-http bench-mount bench-nar bench-references bench-substitute fuzz torture soak screenshots build setup setup-test clean

# Keeps Ctrl-C away from make itself, which would call a clean end an interrupt.
OWN_GROUP := $(if $(shell command -v python3),python3 scripts/own-group.py)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Import a real tree, mount it until Ctrl-C, say what to try (TREE=/some/folder)
	@exec $(OWN_GROUP) sh scripts/demo.sh

test: setup-test build ## Everything CI runs: lint, types, unit, command line and kernel tests
	@npm run --silent lint
	@npm test --silent -- $(VITEST_FLAGS)

check: setup ## Lint, types, boundaries and unit tests: minutes, no network once set up
	@npm run --silent check

bench: build ## Measure how long commands take to start
	@npm run --silent bench

bench-grpc: build ## Measure the store over gRPC against bare grpc-js: docs/bench/grpc.md
	@npm run --silent bench:grpc

bench-http: build ## Measure the binary cache beside nginx with the same cache as files: docs/bench/http.md
	@sh scripts/system-packages.sh nginx wrk curl
	@npm run --silent bench:http

bench-mount: build ## Measure mounts, the disk and squashfs side by side: docs/bench/mount.md
	@sh scripts/system-packages.sh gcc squashfuse squashfs-tools
	@npm run --silent bench:mount

bench-nar: build ## Measure NARs beside Nix itself: docs/bench/nar.md
	@sh scripts/system-packages.sh nix
	@npm run --silent bench:nar

bench-references: build ## Measure what looking for references costs an import
	@npm run --silent bench:references

bench-substitute: setup-test build ## Measure mounting and fetching from a binary cache beside Nix: docs/bench/substitute.md
	@sh scripts/system-packages.sh nginx
	@npm run --silent bench:substitute

fuzz: setup ## Give a million mutated inputs to everything that decodes (TVIX_FUZZ_RUNS, TVIX_FUZZ_SEED)
	@npm run --silent fuzz

torture: build ## The long tests: imports killed over and over
	@npm run --silent torture

soak: build ## An hour of mixed load on a mount, with imports beside it (TVIX_SOAK_MINUTES=60)
	@npm run --silent soak

screenshots: setup-test build ## Take the pictures of pages in docs/images/ anew
	@node scripts/screenshots.mjs

build: setup ## Compile src/, bundle it into dist/
	@npm run --silent build

setup: ## Install what building and mounting need: system packages, node_modules
	@sh scripts/setup.sh

setup-test: setup ## Install what the tests need on top: Nix to compare with, Chromium to look with
	@sh scripts/setup.sh nix chromium

clean: ## Remove what was built and installed here; stores and system packages stay
	rm -rf dist build bench/build node_modules coverage src/gen
