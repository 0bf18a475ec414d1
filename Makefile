# Thin targets over cargo; plain cargo works too.

# Stock clients that the tests use, and what SQLite needs to build.
PACKAGES = gcc g++ libc6-dev openssh-client openssh-server expect asciinema rsync ansible-core python3-paramiko tmux vim-tiny htop less procps iproute2 tinyproxy chromium fonts-noto-cjk
# OpenSSH's server, which sessions are compared with; no test needs it.
BENCH_PACKAGES = openssh-client openssh-server
export CARGO_INCREMENTAL ?= 1

.PHONY: demo console test soak lint fmt setup bench-agent bench-kill bench-session bench-faults bench-cases fuzz seeds

## The main job, live on this machine: a server, six agents on simulated elements, people, keys, cases. Ctrl-C ends it.
demo:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust 1.89 or newer (https://rustup.rs)"; exit 1; }
	cargo build --workspace --bins
	@$(MAKE) --no-print-directory console
	target/debug/lineman demo up $(DEMO)

## The web console: typed by the server's own description, built into server/console/dist. A release build embeds what is there.
CONSOLE = server/console
CONSOLE_SOURCES = $(shell find $(CONSOLE)/src $(CONSOLE)/public $(CONSOLE)/scripts -type f ! -name schema.d.ts) $(addprefix $(CONSOLE)/,index.html package-lock.json vite.config.ts)
console:
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20.19 or newer (https://nodejs.org)"; exit 1; }
	cargo build --workspace --bin lineman-server
	@target/debug/lineman-server openapi > $(CONSOLE)/openapi.new && \
	if cmp -s $(CONSOLE)/openapi.new $(CONSOLE)/openapi.json; then rm $(CONSOLE)/openapi.new; else mv $(CONSOLE)/openapi.new $(CONSOLE)/openapi.json; fi
	@$(MAKE) --no-print-directory $(CONSOLE)/dist/index.html

$(CONSOLE)/node_modules/.package-lock.json: $(CONSOLE)/package-lock.json
	cd $(CONSOLE) && npm ci --no-audit --no-fund
	@touch $@

$(CONSOLE)/dist/index.html: $(CONSOLE)/node_modules/.package-lock.json $(CONSOLE)/openapi.json $(CONSOLE_SOURCES)
	cd $(CONSOLE) && npm run types && npm run build

## Everything that decides.
test: setup
	cargo build --workspace --bins
	@$(MAKE) --no-print-directory console
	cd $(CONSOLE) && npm run check
	cargo test --workspace --no-fail-fast
	cd $(CONSOLE) && npm test
	tests/fuzz/run

## The long runs: hundreds of kills, many thousands of random cases.
soak: setup
	cargo build --workspace --bins
	SOAK=1 PROPTEST_CASES=20000 cargo test --workspace --no-fail-fast
	@$(MAKE) --no-print-directory console
	cd $(CONSOLE) && SOAK=1 npm test
	FUZZ_SECONDS=300 tests/fuzz/run

## Throws inputs at every parser that a hostile device, engineer or centre can reach: FUZZ_SECONDS for each (default 5).
fuzz: setup
	tests/fuzz/run $(FUZZ)

## Writes the fuzz targets' seeds anew, after a format has changed.
seeds:
	cargo run --manifest-path tests/fuzz/Cargo.toml --target-dir target/fuzz --example seeds

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path tests/fuzz/Cargo.toml
	cargo clippy --workspace --all-targets -- -D warnings
	@! cargo tree --workspace --edges normal,build -i aws-lc-rs 2>/dev/null | grep -q . || { echo "aws-lc-rs is in the tree: two TLS providers"; exit 1; }

fmt:
	cargo fmt

## Memory and CPU of the agent, beside node_exporter and collectd where they are installed.
bench-agent:
	cargo build --release -p lineman-agent -p lineman-server -p lineman
	cargo run --release -p lineman-tests --bin bench-agent

## From the word to the end of a session with something hidden in it.
bench-kill:
	cargo build --release -p lineman-agent -p lineman-server -p lineman
	cargo run --release -p lineman-tests --bin bench-kill

## A session through Lineman beside plain OpenSSH: first output, echo, transfers, memory. Minutes; BENCH="--rounds 30" for more.
bench-session:
	@missing=""; for package in $(BENCH_PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] || { echo "missing Debian packages:$$missing; get them with: sudo apt-get install$$missing"; exit 1; }
	cargo build --release -p lineman-agent -p lineman-server -p lineman
	cargo run --release -p lineman-tests --bin bench-session -- $(BENCH)

## Alarms, storms, lists, filing and clocks, beside what the database alone commits. Minutes; BENCH="--only events,storm" for less.
bench-faults:
	cargo build --release -p lineman-server
	cargo run --release -p lineman-tests --bin bench-faults -- $(BENCH)

## How well and how fast the case library finds: DATA="DIR ..." are retrieval sets, LIMIT=n asks the first n questions of each,
## SEMANTICS=FILE.whl measures with meaning too. Without DATA the synthetic library alone.
bench-cases:
	cargo build --release -p lineman-server
	cargo run --release -p lineman-tests --bin bench-cases -- $(foreach dir,$(DATA),--data "$(dir)") $(if $(LIMIT),--limit $(LIMIT)) $(if $(SEMANTICS),--semantics "$(SEMANTICS)") $(BENCH)

## Installs what the tests need, or says what is missing.
setup:
	@missing=""; for package in $(PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ]; then sudo=""; elif sudo -n true 2>/dev/null; then sudo="sudo"; else \
		echo "missing Debian packages:$$missing; get them with: sudo apt-get install$$missing"; exit 1; fi; \
	$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing
