# What people run. The gate is .ci/run, which runs `lint`, `manifests` and `test`.

CARGO ?= cargo
# Where cargo puts what it builds; the environment may say otherwise.
CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR

.PHONY: help demo up down kind check test test-long test-strimzi lint manifests generate bench bench-quick bench-curves bench-latency bench-micro bench-operator needs

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  %-14s %s\n' "$$name" "$$text"; done

demo: ## Run producer, embedded broker and consumer in one process for about 10 s
	$(CARGO) build --release --locked -p batchpipe-workloads
	$(CARGO_TARGET_DIR)/release/batchpipe demo

up: ## Run Kubernetes, Kafka, the operator and a pipeline on this machine, as root and without a container tool
	scripts/up

down: ## Remove all that `make up` brought up
	scripts/down

kind: ## The same on a kind cluster, where docker, kind, kubectl and helm are
	scripts/kind

check: ## Format, lints and the tests that need cargo alone
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --lib --bins --locked

# Most tests wait for brokers and clusters, so that more of them than there are cores take half the time.
test: needs ## All tests, also those against a real Kafka
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$(n=$$(nproc); echo $$((n < 4 ? 4 : n)))} $(CARGO) test --workspace --locked

test-long: needs ## Count millions of records with each codec, under a hundred changes of a group and many kills; crash the operator at each request, take its rights away in turn
	$(CARGO) test --release --workspace --locked --test e2e -- --ignored --nocapture agreement:: storms:: many_kills::
	$(CARGO) test --workspace --locked --test e2e -- --ignored --nocapture crashes:: rbac::

test-strimzi: ## Run pipelines against the real Strimzi, as root; STRIMZI_GIT and KAFKA_GIT are git folders of its sources and of Apache Kafka's
	@if [ -z "$(STRIMZI_GIT)" ] || [ -z "$(KAFKA_GIT)" ]; then \
		echo "usage: make test-strimzi STRIMZI_GIT=FOLDER KAFKA_GIT=FOLDER, git folders of both sources" >&2; exit 2; fi
	@scripts/install-needs unzip:unzip
	STRIMZI_GIT=$(abspath $(STRIMZI_GIT)) KAFKA_GIT=$(abspath $(KAFKA_GIT)) \
		$(CARGO) test --workspace --locked --test node strimzi:: -- --ignored --nocapture

lint: ## Format, lints, docs, dependencies, scripts and the rules of this project
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	scripts/house-rules
	scripts/check-dependencies
	scripts/check-scripts

manifests: ## Look at the Dockerfile, the YAML, and what the chart and the operator make, with the linters of these
	@scripts/check-manifests

generate: ## Write the generated files (CRD, the chart's tables and renderings) anew
	BLESS=1 $(CARGO) test --locked -p batchpipe-api
	BLESS=1 $(CARGO) test --locked -p batchpipe-operator --test chart

# The Java contender is compiled here.
BENCH_NEEDS = $(if $(findstring --without java,$(BENCH_ARGS)),,javac:openjdk-17-jdk-headless)

bench: ## Measure us and others on a real Kafka, and write docs/benchmarks.md; BENCH_ARGS=--help tells the options
	@scripts/install-needs $(BENCH_NEEDS)
	$(CARGO) build --release --locked -p batchpipe-workloads -p batchpipe-bench
	$(CARGO_TARGET_DIR)/release/batchpipe-bench $(BENCH_ARGS)

bench-quick: ## The main ratios in less than 3 minutes
	@$(MAKE) --no-print-directory bench BENCH_ARGS="--quick $(BENCH_ARGS)"

bench-curves: ## Measure how the cost grows with record size, batch size, partitions, codec, keys and replicas
	@$(MAKE) --no-print-directory bench BENCH_ARGS="curves $(BENCH_ARGS)"

bench-latency: ## Measure how long records take at parts of the throughput reached, for several lingers
	@$(MAKE) --no-print-directory bench BENCH_ARGS="latency $(BENCH_ARGS)"

bench-micro: ## Count the instructions of codec, batcher and reader, which repeat on a busy machine
	@scripts/install-needs valgrind:valgrind
	@$(MAKE) --no-print-directory bench BENCH_ARGS="micro $(BENCH_ARGS)"

bench-operator: ## Measure the operator with 1,000 pipelines, and the way from apply to the first record; PIPELINES=N and QUIET_MINUTES=N
	$(CARGO) build --release --locked -p batchpipe-operator
	BATCHPIPE_OPERATOR=$(abspath $(CARGO_TARGET_DIR))/release/batchpipe-operator \
		$(CARGO) test --workspace --locked --test e2e thousand -- --ignored --nocapture
	$(CARGO) test --release --workspace --locked --test node first:: -- --nocapture

needs:
	@scripts/install-needs
