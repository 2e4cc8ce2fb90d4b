# Thin names for the scripts in tests/bench; each needs the Rust toolchain and says so when it is missing.
.PHONY: help build release lint test nightly compatibility demo bench bench-up bench-down

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

build: ## the program and library, for development
	@tests/bench/checks.sh development_build

release: ## the static program that is shipped
	@tests/bench/checks.sh static_release

lint: ## rustfmt, clippy, shellcheck, cargo-deny
	@tests/bench/checks.sh format clippy library_alone shell_scripts deny

test: ## every check, then the tests against real rootless Podmans
	@tests/bench/run.sh

nightly: ## what takes too long for every change: reboots, a million files, kills everywhere, the real agents
	@tests/bench/nightly.sh

compatibility: ## the tests against all Podmans, then docs/compatibility.md
	@STOCKADE_UPDATE=1 tests/bench/run.sh

demo: ## an agent at work in a real rootless sandbox
	@tests/bench/demo.sh

bench: ## figures: Stockade beside podman, on the same service
	@tests/bench/speed.sh

bench-up: ## the rootless Podmans that the tests use
	@tests/bench/slots.sh up

bench-down: ## end them
	@tests/bench/slots.sh down
