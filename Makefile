# The few verbs of this project. `make` alone lists them.

# A DATABASE_URL of yours is for the server to run with, not for the compiler to ask: queries are checked against .sqlx/.
export SQLX_OFFLINE := true

BIN := $(or $(CARGO_TARGET_DIR),target)/release
DATA_DIR_FLAG := $(if $(DATA_DIR),--data-dir '$(DATA_DIR)')
# cargo-nextest runs the tests of all crates side by side; without it, `cargo test` runs the same ones.
TEST = $(if $(shell cargo nextest --version 2>/dev/null),nextest run $(if $(CI),--profile ci),test)

# Traces are in the image and in releases, so they are linted and tested; `scripts/sqlx-prepare` compiles a server without.
FEATURES := --features otrace-server/otlp

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve test lint demo bench sqlx release

help: ## Lists the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

serve: ## Installs what is missing, builds, and starts the server (DATA_DIR=… keeps its data elsewhere)
	@scripts/setup serve
	@$(MAKE) --no-print-directory release
	@exec $(BIN)/otrace-server serve $(DATA_DIR_FLAG)

test: ## Installs what the tests need and runs them all
	@scripts/setup test
	scripts/test-postgres cargo $(TEST) --workspace --locked $(FEATURES)

lint: ## Checks formatting, clippy, .sqlx, licences, sources and what is deployed with, changing nothing
	@scripts/setup lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked $(FEATURES) -- -D warnings
	scripts/sqlx-prepare --check
	scripts/cargo-deny check bans licenses sources
	scripts/check-deploy

demo: ## Starts a server with an account, a project and a few recorded runs, and prints the sign-in
	@scripts/setup demo
	@$(MAKE) --no-print-directory release
	@exec scripts/demo $(BIN)

bench: ## Measures memory, speed, and what a run costs, beside MLflow, in an hour (BENCH_FLAGS=--quick: in ten minutes)
	@scripts/setup bench
	@exec scripts/bench $(BENCH_FLAGS)

sqlx: ## Regenerates .sqlx/ after a query has changed
	@scripts/sqlx-prepare

release:
	cargo build --release --locked -p otrace-server -p otrace-cli
