# `make` is what must be green before a push; `.ci/run` calls it and the longer targets.
CARGO ?= cargo
RELAXED = -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic -A clippy::indexing_slicing \
	-A clippy::string_slice -A clippy::arithmetic_side_effects -A clippy::as_conversions \
	-A clippy::print_stdout -A clippy::print_stderr -A clippy::wildcard_enum_match_arm -A missing_docs -A unreachable_pub \
	-A clippy::similar_names -A clippy::large_types_passed_by_value -A clippy::cast_possible_truncation

.PHONY: all check demo fmt lint test doc
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

# Real nodes against the real binary; tests/interop/README.md. CASE=v0.38.25/tcp runs one case.
.PHONY: interop
interop: TMKMS ?= $(CURDIR)/target/release/tmkms
interop: SIGNER ?= tmkms
interop:
	@command -v go >/dev/null || { echo "make interop needs Go 1.25 or newer (https://go.dev/dl)"; exit 1; }
	$(CARGO) build --release --locked
	cd tests/interop && go build -o .work/interop . && TMKMS=$(TMKMS) .work/interop -case '$(CASE)' -signer $(SIGNER)
