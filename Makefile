# `make` lists what there is. A fresh machine needs a Rust toolchain; each target installs what else it needs and says so.

SCENARIO ?=
ALL ?=
PROFILE ?= release
READER ?=
FOR ?= 60

.PHONY: help rehearse serve matrix soak test fuzz check fmt clippy doc licences advisories infra package bench bench-load bench-lint clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

rehearse: ## Rehearses a whole deployment [SCENARIO=linear] [ALL=1]
	@scripts/rehearse run $(SCENARIO) $(if $(ALL),--all)

serve: ## Keeps the rehearsal's world running for any AWS client [SCENARIO=linear]
	@scripts/rehearse serve $(SCENARIO)

test: ## Runs every test
	@scripts/test

fuzz: ## Looks for what breaks whatever reads foreign bytes [READER=wire] [FOR=60 seconds each]
	@FOR=$(FOR) scripts/fuzz $(READER)

matrix: ## Disturbs every call, request and message of the hooks, and kills them: is one ever silent?
	@scripts/rehearse matrix

soak: ## Deploys 500 times with the same warm hooks, then 20 services at once: what grows, leaks or goes wrong?
	@scripts/rehearse soak

check: fmt clippy doc licences infra ## Formatter, lints, documentation, licences, templates

fmt:
	@cargo fmt --all --check

clippy:
	@cargo clippy --locked --workspace --all-targets --features before-allow-traffic/mariadb,before-install/mariadb,rehearsal/mariadb -- -D warnings

doc:
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

licences:
	@scripts/licences

advisories: ## Holds the dependencies against RustSec's advisories, which it fetches
	@scripts/advisories

infra: ## Lints the templates, the environment's stacks and the workflows
	@scripts/infra

package: ## Builds the functions with SAM and rehearses a deployment with exactly those
	@scripts/package

bench: ## Measures the hooks beside a bare runtime and Python [PROFILE=dev]
	@PROFILE=$(PROFILE) scripts/bench

bench-load: ## Compares the load generator with oha [PROFILE=dev]
	@PROFILE=$(PROFILE) scripts/bench-load

bench-lint: ## Judges the labelled migrations of lint/corpus beside squawk
	@scripts/bench-lint

clean: ## Removes everything that the other targets made
	cargo clean
	rm -rf .venv .venv-infra .venv-checkov .postgres .aws-sam artifacts
