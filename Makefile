# `make` is what must be green before a push; `.ci/run` calls it and the longer targets.
CARGO ?= cargo
RELAXED = -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic -A clippy::indexing_slicing \
	-A clippy::string_slice -A clippy::arithmetic_side_effects -A clippy::as_conversions \
	-A clippy::print_stdout -A clippy::print_stderr -A clippy::wildcard_enum_match_arm -A missing_docs -A unreachable_pub \
	-A clippy::similar_names -A clippy::large_types_passed_by_value -A clippy::cast_possible_truncation

.PHONY: all check demo fmt lint test doc prove bench bench-tmkms
all check: fmt lint test doc

# The program and a stand-in validator, in a directory of their own that is gone afterwards.
demo:
	$(CARGO) build --locked --bins --example demo
	$(CARGO) run --locked --quiet --example demo

# What was tried against the claim that no slot is signed twice. N is the share of the full counts in
# percent, and each count can be set by itself: make prove N=2 KILLS=1000
N ?= 100
share = $(shell expr $(1) \* $(N) / 100)
CUTS ?= $(call share,1000)
DAMAGE ?= $(call share,1000)
KILLS ?= $(call share,10000)
HOSTILE ?= $(call share,1000)
RACES ?= $(call share,2000)
REQUESTS ?= $(call share,1000000)
PROVE = target/prove/examples/prove
# What is mounted there is nobody else's, and gone with the process.
NAMESPACE = $(shell unshare -m true 2>/dev/null && echo unshare -m)

prove:
	$(CARGO) build --locked --profile prove --bins --example prove
	if command -v go >/dev/null; then go build -C tests/prove/filepv -o $(CURDIR)/target/prove/filepv .; fi
	$(PROVE) cuts --count $(CUTS)
	$(PROVE) damage --count $(DAMAGE)
	$(PROVE) kills --count $(KILLS)
	$(PROVE) model --count $(if $(filter 100,$(N)),2,1)
	$(NAMESPACE) $(PROVE) failing
	$(PROVE) hostile --count $(HOSTILE)
	$(NAMESPACE) $(PROVE) races --count $(RACES)
	$(PROVE) secrets
	$(PROVE) filepv --count $(REQUESTS) $(if $(shell command -v go),--filepv target/prove/filepv)

# Coverage-guided, with `cargo install cargo-fuzz` and a nightly compiler; what it finds grows in tests/fuzz/corpus.
.PHONY: fuzz
TARGETS = reader requests handshake frames configuration state_file
FOR ?= 60
fuzz:
	for target in $(TARGETS); do mkdir -p tests/fuzz/corpus/$$target && $(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz \
		$$target tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target -- -max_total_time=$(FOR) -max_len=4096 || exit 1; done

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

# Prints, and never fails on time. `make bench ONLY="latency starts"`, `ONLY=--quick`.
bench:
	$(CARGO) bench --locked --bench bench -- $(ONLY)

# The same, with iqlusion's tmkms beside it; building that takes minutes, once.
RIVAL = target/tmkms-0.15.0
bench-tmkms: $(RIVAL)/bin/tmkms
	$(CARGO) bench --locked --bench bench -- --program tmkms-0.15.0=$(RIVAL)/bin/tmkms $(ONLY)

$(RIVAL)/bin/tmkms:
	$(CARGO) install tmkms --locked --version 0.15.0 --features softsign --root $(RIVAL)
