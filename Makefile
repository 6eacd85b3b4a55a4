# `make` is what must be green before a push; `.ci/run` calls it and the longer targets.
CARGO ?= cargo
comma = ,
RELAXED = -A clippy::unwrap_used -A clippy::expect_used -A clippy::panic -A clippy::indexing_slicing \
	-A clippy::string_slice -A clippy::arithmetic_side_effects -A clippy::as_conversions \
	-A clippy::print_stdout -A clippy::print_stderr -A clippy::wildcard_enum_match_arm -A missing_docs -A unreachable_pub \
	-A clippy::pedantic

.PHONY: all check demo fmt lint test doc prove bench bench-tmkms bench-disks static repro containers sbom deps
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
# There is no unsafe code of ours for a sanitizer to watch: SANITIZER=address looks at what we call, at an eighth of the speed.
.PHONY: fuzz mutants deny miri
TARGETS ?= reader requests handshake frames configuration state_file
FOR ?= 60
SANITIZER ?= none
fuzz:
	for target in $(TARGETS); do mkdir -p tests/fuzz/corpus/$$target && $(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz -s $(SANITIZER) \
		$$target tests/fuzz/corpus/$$target tests/fuzz/seeds/$$target -- -max_total_time=$(FOR) -max_len=4096 || exit 1; done

# Every change of one operator or result must fail a test (cargo install cargo-mutants --locked), in what decides,
# keeps and signs; make mutants FILE=src/guard. What may survive stands in config/mutants.toml with its reason.
FILE ?= src/guard src/store src/signer src/wire src/secret src/canon src/link
MUTANTS_TESTS ?= --lib --test vectors --test seeds --test signing
mutants:
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) mutants --config config/mutants.toml --output target --jobs 1 --timeout 300 \
		$(foreach file,$(FILE),--file '$(file)$(if $(filter %.rs,$(file)),,/**)') -- --locked $(MUTANTS_TESTS)

# Licences, sources and doubled crates (cargo install cargo-deny --locked). Advisories are looked up elsewhere.
deny:
	$(CARGO) deny --locked --all-features --config config/deny.toml check bans licenses sources

# Undefined behaviour in what we call, where no system is needed (rustup component add --toolchain nightly miri rust-src).
miri:
	MIRIFLAGS=-Zmiri-disable-isolation $(CARGO) +nightly miri test --locked --target-dir target/miri --lib -- \
		types:: canon:: wire:: guard:: keys:: secret:: config::

fmt:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --locked --lib --bins -- -D warnings
	$(CARGO) clippy --locked --all-targets -- -D warnings $(RELAXED)

test:
	$(CARGO) test --locked

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

# Every set of backends without a warning, and what they share against a device that follows a script.
# The Ledger's transport needs libudev (Debian: libudev-dev, pkg-config).
.PHONY: features
SETS = softsign yubihsm ledger fortanixdsm yubihsm,ledger yubihsm,fortanixdsm ledger,fortanixdsm yubihsm,ledger,fortanixdsm
features:
	for set in $(SETS); do echo "softsign,$$set" && \
		$(CARGO) clippy --locked --quiet --lib --bins --features $$set -- -D warnings || exit 1; done
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings $(RELAXED)
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items --all-features
	$(CARGO) test --locked --all-features --lib

# A YubiHSM 2 without one: the crate's fake device as a process, the program built for it, all its tests.
.PHONY: yubihsm
yubihsm:
	$(CARGO) build --locked --manifest-path tests/yubihsm/mock/Cargo.toml --target-dir target/mock-yubihsm
	$(CARGO) fmt --check --manifest-path tests/yubihsm/mock/Cargo.toml
	$(CARGO) clippy --locked --features yubihsm --lib --bins -- -D warnings
	$(CARGO) clippy --locked --features yubihsm --all-targets -- -D warnings $(RELAXED)
	$(CARGO) test --locked --features yubihsm --lib --test yubihsm --test layers --test commands --test operator
	$(CARGO) build --locked --features yubihsm --bins --example demo
	YUBIHSM=target/mock-yubihsm/debug/mock-yubihsm $(CARGO) run --locked --quiet --features yubihsm --example demo
	$(MAKE) --no-print-directory deps FEATURES=yubihsm

# The real binary against the app of a Ledger, played by tests/ledger/app.
.PHONY: ledger
ledger:
	@pkg-config --exists libudev || { echo "make ledger needs libudev (Debian: apt-get install libudev-dev pkg-config)"; exit 1; }
	$(CARGO) clippy --locked --features ledger --lib --bins -- -D warnings
	$(CARGO) clippy --locked --features ledger --test ledger --example ledger_app -- -D warnings $(RELAXED)
	$(CARGO) test --locked --features ledger --test ledger
	$(MAKE) --no-print-directory deps FEATURES=ledger

# The key in a stand-in for Fortanix DSM (src/backend/fortanixdsm/README.md): its tests, then the demo on it.
.PHONY: fortanixdsm
STAND_IN = tests/fortanixdsm/server/Cargo.toml --target-dir target/fortanixdsm
fortanixdsm:
	$(CARGO) clippy --locked --features fortanixdsm --lib --bins -- -D warnings
	$(CARGO) clippy --locked --features fortanixdsm --test fortanixdsm --example demo -- -D warnings $(RELAXED)
	$(CARGO) clippy --locked --manifest-path $(STAND_IN) -- -D warnings
	$(CARGO) build --locked --manifest-path $(STAND_IN)
	$(CARGO) test --locked --features fortanixdsm --lib fortanixdsm
	$(CARGO) test --locked --features fortanixdsm --test fortanixdsm
	$(CARGO) build --locked --features fortanixdsm --bins --example demo
	DSM=target/fortanixdsm/debug/dsm-server $(CARGO) run --locked --quiet --features fortanixdsm --example demo
	$(MAKE) --no-print-directory deps FEATURES=fortanixdsm

# The program and what belongs around it: make install DESTDIR=/tmp/package PREFIX=/usr
# BINARY=PATH installs one that is built already, in any way, and can run here.
.PHONY: install
install: PREFIX ?= /usr/local
install: TO = $(DESTDIR)$(PREFIX)
install: PROGRAM = $(or $(BINARY),target/release/tmkms)
install:
	$(if $(BINARY),,$(CARGO) build --release --locked)
	install -D -m 755 $(PROGRAM) $(TO)/bin/tmkms
	install -D -m 644 config/tmkms.service $(TO)/lib/systemd/system/tmkms.service
	sed -i 's|/usr/bin/|$(PREFIX)/bin/|' $(TO)/lib/systemd/system/tmkms.service
	install -D -m 644 config/tmkms.sysusers $(TO)/lib/sysusers.d/tmkms.conf
	install -D -m 644 config/tmkms.tmpfiles $(TO)/lib/tmpfiles.d/tmkms.conf
	install -D -m 644 -t $(TO)/lib/udev/rules.d config/60-yubihsm.rules
	install -D -m 644 config/tmkms-yubihsm.conf $(TO)/share/doc/tmkms/tmkms-yubihsm.conf
	$(PROGRAM) completions bash | install -D -m 644 /dev/stdin $(TO)/share/bash-completion/completions/tmkms
	$(PROGRAM) completions zsh | install -D -m 644 /dev/stdin $(TO)/share/zsh/site-functions/_tmkms
	$(PROGRAM) completions fish | install -D -m 644 /dev/stdin $(TO)/share/fish/vendor_completions.d/tmkms.fish
	$(PROGRAM) help --man | install -D -m 644 /dev/stdin $(TO)/share/man/man1/tmkms.1
	install -D -m 644 -t $(TO)/share/doc/tmkms LICENSE $(wildcard README.md)

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

# The same, with iqlusion's tmkms beside it, and our static file if `make static` has made one. Building
# tmkms takes minutes, once.
RIVAL = target/tmkms-0.15.0
BESIDE = $(addprefix --program static=,$(wildcard target/x86_64-unknown-linux-musl/release/tmkms))
bench-tmkms: $(RIVAL)/bin/tmkms
	$(CARGO) bench --locked --bench bench -- $(BESIDE) --program tmkms-0.15.0=$(RIVAL)/bin/tmkms $(ONLY)

# A commit on ext4, xfs, btrfs and tmpfs, and what reaches the device. Needs root.
bench-disks:
	tests/bench/file-systems.sh $(CARGO) bench --locked --bench bench -- --state

$(RIVAL)/bin/tmkms:
	$(CARGO) install tmkms --locked --version 0.15.0 --features softsign --root $(RIVAL)

# One file that needs nothing else: `make static`, `make static TARGET=aarch64-unknown-linux-musl`, and with a
# backend that can be static: `make static FEATURES=fortanixdsm`.
# `AUDIT=auditable` puts the list of crates into it (cargo install cargo-auditable --locked).
TARGET = x86_64-unknown-linux-musl
OUT = target
MUSL = $(shell rustc --print sysroot)/lib/rustlib/$(TARGET)/lib/self-contained
# Rust's own linker, so that no C compiler is needed for either target, and by hand what makes the executable
# position-independent. Then what makes it small: large functions are called and not copied, relocations are
# packed, functions of the same code are one, and nothing is kept for unwinding, which an abort never does.
LEAN = -C linker=rust-lld -C linker-flavor=ld.lld -C relocation-model=pic -C link-self-contained=no \
	-C link-arg=-pie -C link-arg=--no-dynamic-linker -C link-arg=-ztext -C link-arg=-L$(MUSL) \
	-C link-arg=$(MUSL)/rcrt1.o -C link-arg=$(MUSL)/crti.o -C link-arg=$(MUSL)/crtbeginS.o \
	-C link-arg=$(MUSL)/crtendS.o -C link-arg=$(MUSL)/crtn.o -C llvm-args=-inlinehint-threshold=225 \
	-C force-unwind-tables=no -C link-arg=--pack-dyn-relocs=relr -C link-arg=--icf=all -C link-arg=-O2 \
	-C link-arg=-Tconfig/abort.ld
REMAP = --remap-path-prefix=$(CURDIR)=. --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo
static:
	rustup target list --installed | grep -qx $(TARGET) || rustup target add $(TARGET)
	RUSTFLAGS="$(REMAP) $(LEAN)" $(CARGO) $(AUDIT) build --locked --release --bin tmkms --features "$(FEATURES)" --target $(TARGET) --target-dir $(OUT)
	@ls -l $(OUT)/$(TARGET)/release/tmkms
	config/empty-root $(OUT)/$(TARGET)/release/tmkms $(DEMO)

# The steps of config/compose.yaml without Docker: the static file and a CometBFT node, each in a root of its own.
containers: static
	cd tests/interop/nodes && CGO_ENABLED=0 GOWORK=off GOFLAGS="-mod=readonly -buildvcs=false" go build -trimpath \
		-modfile=v0.38.25.mod -o $(CURDIR)/target/cometbft github.com/cometbft/cometbft/cmd/cometbft
	tests/containers/by-hand.sh $(OUT)/$(TARGET)/release/tmkms target/cometbft

# What is committed, built in two directories, is the same bytes.
repro:
	@for place in one two/deeper; do rm -rf target/repro/$$place && mkdir -p target/repro/$$place && \
		git archive HEAD | tar -x -C target/repro/$$place && \
		$(MAKE) --no-print-directory -C target/repro/$$place static TARGET=$(TARGET) || exit 1; done
	sha256sum target/repro/one/target/$(TARGET)/release/tmkms target/repro/two/deeper/target/$(TARGET)/release/tmkms
	cmp target/repro/one/target/$(TARGET)/release/tmkms target/repro/two/deeper/target/$(TARGET)/release/tmkms

# The list of crates of the static file, in the file itself, where scanners look for it, and beside it as JSON.
# Needs `cargo install cargo-auditable --locked`.
SBOM = target/sbom/$(TARGET)/release
sbom:
	$(MAKE) --no-print-directory static AUDIT=auditable OUT=target/sbom
	objcopy -O binary --only-section=.dep-v0 --set-section-flags .dep-v0=alloc $(SBOM)/tmkms $(SBOM)/dep-v0
	# It is a zlib stream: the same in gzip's clothes, without the sum at its end.
	{ printf '\037\213\010\0\0\0\0\0\0\0'; tail -c +3 $(SBOM)/dep-v0; } | gzip -dc 2>/dev/null >$(SBOM)/tmkms.sbom.json; test -s $(SBOM)/tmkms.sbom.json
	sed 's/ *#.*//; /^$$/d; s/\(.*\) \(.*\)/"name":"\1","version":"\2"/' config/crates.txt | \
		while read -r crate; do grep -qF "$$crate" $(SBOM)/tmkms.sbom.json || { echo "not in it: $$crate"; exit 1; }; done
	@ls -l $(SBOM)/tmkms $(SBOM)/tmkms.sbom.json

# The reviewed list of crates in the binary: none twice, and by default at most 48 and no build script that needs
# more than Rust. `make deps FEATURES="yubihsm ledger"`: what each adds is in config/crates-FEATURE.txt.
REVIEWED = config/crates.txt $(wildcard $(FEATURES:%=config/crates-%.txt))
TREE = $(CARGO) tree --locked --features "$(FEATURES)" --prefix none
deps:
	@mkdir -p target
	$(TREE) -e normal,no-proc-macro | sed 's/ (.*//; s/ v/ /; /^tmkms /d' | LC_ALL=C sort -u >target/crates.txt
	sed 's/ *#.*//; /^$$/d' $(REVIEWED) | LC_ALL=C sort -u | diff - target/crates.txt
	test -z "$$(cut -d' ' -f1 target/crates.txt | uniq -d)"
	$(if $(FEATURES),,test $$(wc -l <target/crates.txt) -le 48)
	$(if $(FEATURES),,! $(TREE) -e normal$(comma)build | grep -E '^(bindgen|cc|cmake|pkg-config) ')
