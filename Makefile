# What people run. The gate is .ci/run, which runs `lint` and `test`.

CARGO ?= cargo
# Where cargo puts what it builds; the environment may say otherwise.
CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR

.PHONY: help demo check test lint generate bench needs

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  %-10s %s\n' "$$name" "$$text"; done

demo: ## Run producer, embedded broker and consumer in one process for about 10 s
	$(CARGO) build --release --locked -p batchpipe-workloads
	$(CARGO_TARGET_DIR)/release/batchpipe demo

check: ## Format, lints and the tests that need cargo alone
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) test --workspace --lib --bins --locked

test: needs ## All tests, also those against a real Kafka
	$(CARGO) test --workspace --locked

lint: ## Format, lints, docs, scripts and the rules of this project
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	scripts/house-rules
	@if command -v shellcheck >/dev/null; then shellcheck scripts/* .ci/run testbed/assets/*.sh; \
		else echo "shellcheck is not installed: scripts were not checked"; fi

generate: ## Write the generated files (the CRD) anew
	BLESS=1 $(CARGO) test --locked -p batchpipe-api

bench: ## Measure, and print ratios of one run
	$(CARGO) bench --locked -p batchpipe-workloads

needs:
	@scripts/install-needs
