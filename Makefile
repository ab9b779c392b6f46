# What developers run is what CI runs. Needs Rust, a C compiler, git and make;
# `make test` also python3 with venv, for the S3 servers it tests against.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: build demo test soak lint conformance install-test-tools bench bench-quick bench-curves bench-peers bench-programs

export FOLDER

# The binary, optimised: target/release/tidelock
build:
	cargo build --release --locked -p tidelock

# Syncs, changes, moves and restores a folder before your eyes. FOLDER=… takes yours.
demo: build
	target/release/tidelock demo $${FOLDER:+"$$FOLDER"}

# Everything that must hold. The last line counts the tests.
test: install-test-tools
	.ci/test

# The same with many more cases and fresh seeds; takes hours.
soak: install-test-tools
	TIDELOCK_SOAK=1 PROPTEST_CASES=$${PROPTEST_CASES:-20000} .ci/test

# Formatting and lints alone.
lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

# The suite that our own tests run, on a bucket of yours, below a prefix of its own:
#   make conformance URL=s3://bucket/prefix [ENDPOINT=…] [REGION=…] [PROVIDER=…] [PROFILE=…] [PATH_STYLE=1]
# It removes what it wrote. Credentials are found as tidelock finds them.
export URL ENDPOINT REGION PROVIDER PROFILE
conformance:
	@test -n "$$URL" || { echo "say which: make conformance URL=s3://bucket/prefix" >&2; exit 2; }
	cargo run --quiet --locked -p tidelock-remote --features testing --example conformance -- "$$URL" \
	    $${ENDPOINT:+--endpoint "$$ENDPOINT"} $${REGION:+--region "$$REGION"} $${PROVIDER:+--provider "$$PROVIDER"} \
	    $${PROFILE:+--profile "$$PROFILE"} $(if $(PATH_STYLE),--path-style)

install-test-tools:
	.ci/install-test-tools

# Tidelock beside its peers: bench/README.md. The page is bench/results/README.md.
#   make bench [WORKLOADS="W1 W4"] [TOOLS="tidelock rclone"] [RUNS=5] [NOTE="what a reader should know"]
BENCH = target/release/tidelock-bench
BENCH_CHOICE = $(if $(WORKLOADS),--workloads "$(WORKLOADS)") $(if $(TOOLS),--tools "$(TOOLS)") $(if $(RUNS),--runs "$(RUNS)") \
    $(BENCH_NOTE)
BENCH_NOTE = $(if $(NOTE),--note "$(NOTE)")
bench: bench-programs bench-peers
	$(BENCH) run $(BENCH_CHOICE)

# Smaller, in under five minutes once everything is there; leaves the page alone.
bench-quick: bench-programs
	bench/install-peers --quick
	$(BENCH) run --quick --out target/bench-quick --tools "$(or $(TOOLS),tidelock rclone s5cmd awscli find)" \
	    --runs "$(or $(RUNS),3)" $(if $(WORKLOADS),--workloads "$(WORKLOADS)") $(BENCH_NOTE)

# How cost grows with work: up to FILES files, and GIB GiB in one file.
bench-curves: bench-programs
	bench/install-peers --quick
	$(BENCH) curves $(if $(FILES),--files "$(FILES)") $(if $(GIB),--gib "$(GIB)") $(BENCH_NOTE)

# The peers, from the package registries, below target/bench-peers.
bench-peers:
	bench/install-peers

bench-programs:
	cargo build --release --locked -p tidelock -p tidelock-sink -p tidelock-bench
