# Thin names for the scripts in tests/bench; each needs the Rust toolchain and says so when it is missing.
.PHONY: help build release lint test demo bench bench-up bench-down

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

build: ## the program and library, for development
	@tests/bench/checks.sh development_build

release: ## the static program that is shipped
	@tests/bench/checks.sh static_release

lint: ## rustfmt, clippy, shellcheck, cargo-deny
	@tests/bench/checks.sh format clippy library_alone shell_scripts deny

test: ## every check, then the integration tests against real rootless Podmans
	@tests/bench/run.sh

demo: ## an agent at work in a real rootless sandbox
	@tests/bench/demo.sh

bench: ## figures: Stockade beside podman, on the same service
	@tests/bench/speed.sh

bench-up: ## the rootless services that the tests use
	@tests/bench/host.sh up && tests/bench/chroot.sh up trixie

bench-down: ## end them
	@tests/bench/chroot.sh down trixie; tests/bench/host.sh down
