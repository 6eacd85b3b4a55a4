# `make` is what must be green before a push; `.ci/run` calls it and the longer targets.
CARGO ?= cargo
RELAXED = -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic -A clippy::indexing_slicing \
	-A clippy::string_slice -A clippy::arithmetic_side_effects -A clippy::as_conversions \
	-A clippy::print_stdout -A clippy::print_stderr -A clippy::wildcard_enum_match_arm -A missing_docs -A unreachable_pub

.PHONY: all check demo fmt lint test doc bench bench-tmkms
all check: fmt lint test doc

# The program and a stand-in validator, in a directory of their own that is gone afterwards.
demo:
	$(CARGO) build --locked --bins --example demo
	$(CARGO) run --locked --quiet --example demo

fmt:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --lib --bins -- -D warnings
	$(CARGO) clippy --locked --all-targets -- -D warnings $(RELAXED)

test:
	$(CARGO) test --locked

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

# Prints, and never fails on time. `make bench ONLY="latency starts"`, `ONLY=--quick`.
bench:
	$(CARGO) bench --locked --bench bench -- $(ONLY)

# The same, with iqlusion's tmkms beside it; building that takes minutes, once.
RIVAL = target/tmkms-0.15.0
bench-tmkms: $(RIVAL)/bin/tmkms
	$(CARGO) bench --locked --bench bench -- --program tmkms-0.15.0=$(RIVAL)/bin/tmkms $(ONLY)

$(RIVAL)/bin/tmkms:
	$(CARGO) install tmkms --locked --version 0.15.0 --features softsign --root $(RIVAL)
