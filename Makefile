# The commands of this project. `make demo` shows what it does, `make test` shows that it works.

CARGO ?= cargo
VIGIE = target/release/vigie
DEMO = demo/launch-morning

.PHONY: help demo test eval accuracy mutants floods soak chaos valgrind fuzz-smoke fuzz bench peers cost instructions lint release static deb sbom reproducible

help:
	@echo "make demo     build, write a launch morning, replay it, leave a report"
	@echo "make test     install what the tests need and run all of them"
	@echo "make eval     measure how often it is right on a few worlds; fails below its floors"
	@echo "make accuracy measure how often it is right and write docs/accuracy.md"
	@echo "make mutants  100,000 damaged captures through the program: an hour; fewer with MUTANTS=1000"
	@echo "make floods   100 million forged sources of each kind: memory must stay flat; fewer with SOURCES=10000000"
	@echo "make soak     two simulated weeks and half an hour live: nothing may grow; DAYS=1 SECONDS=60 for less"
	@echo "make chaos    twenty minutes of faults under live traffic; less with DURATION=60, others with SEED=2"
	@echo "make valgrind every unsafe block under valgrind's memcheck, on network namespaces"
	@echo "make fuzz     every fuzz target for an hour, or FUZZ_SECONDS=600; make fuzz-smoke for half a minute"
	@echo "make bench    run the benchmarks"
	@echo "make peers    measure speed and memory against other programs, on ten million packets"
	@echo "make cost     measure what page, API and sinks cost the pipeline; fails beyond 3 %"
	@echo "make instructions  count instructions a packet of the release binary"
	@echo "make lint     formatting, clippy, documentation, dependencies and licences"
	@echo "make release  build $(VIGIE)"
	@echo "make static   build one file that needs no library: libpcap and musl inside (musl-tools, flex, bison)"
	@echo "make deb      build a Debian package below target/debian (cargo install cargo-deb); yours with MAINTAINER='Name <mail>'"
	@echo "make sbom     write what the program is made of to target/vigie.cdx.json (cargo install cargo-cyclonedx)"
	@echo "make reproducible  build twice in two folders and compare to the byte"

# A made-up morning: users rush in, the service meets its capacity, attacks hide in the crowd.
demo: release
	@mkdir -p demo
	$(VIGIE) synth launch-morning -o $(DEMO).pcap
	$(VIGIE) replay $(DEMO).pcap --home FR \
		--protect 203.0.113.0/24=ecole --protect 2001:db8:113::/48=ecole \
		--alerts demo/alerts.jsonl --report demo/report.html
	@echo
	@echo "Report:  file://$(CURDIR)/demo/report.html"
	@echo "Alerts:  $(CURDIR)/demo/alerts.jsonl"

release:
	@scripts/need.sh build
	$(CARGO) build --release --locked

# Tests that make network namespaces run only as root; the others never need it. Skipped tests say so.
test:
	@scripts/need.sh test
	PATH="$$PATH:/usr/sbin:/sbin" $(CARGO) test --locked

# A few minutes of the same; fails below its floors.
eval: release
	$(VIGIE) eval --suite quick --check

# How often Vigie is right, on thousands of worlds: an hour on two cores, less with MINUTES.
MINUTES ?= 60
accuracy: release
	$(VIGIE) eval --suite full --minutes $(MINUTES) --docs docs/accuracy.md --html docs/accuracy.html

# Captures with bytes flipped, cut and mixed: each ends in two seconds with its books in balance.
MUTANTS ?= 100000
mutants:
	@scripts/need.sh build
	VIGIE_MUTANTS=$(MUTANTS) $(CARGO) test --release --locked --test mutants -- --nocapture

# Memory, metrics and alert lines after a million sources and after a hundred million.
SOURCES ?= 100000000
floods:
	@scripts/need.sh build
	VIGIE_SOURCES=$(SOURCES) $(CARGO) test --release --locked --test bounded -- --nocapture --test-threads 1

# The live part makes network namespaces, so it runs as root only.
DAYS ?= 14
SECONDS ?= 1800
soak:
	@scripts/need.sh test
	VIGIE_SOAK_DAYS=$(DAYS) VIGIE_SOAK_SECONDS=$(SECONDS) PATH="$$PATH:/usr/sbin:/sbin" \
		$(CARGO) test --release --locked --test soak -- --nocapture --test-threads 1

# Interfaces that go and come, a program that is stopped, killed and told to reload; the books balance afterwards.
DURATION ?= 1200
SEED ?= 1
chaos:
	@scripts/need.sh test
	VIGIE_CHAOS_SECONDS=$(DURATION) VIGIE_CHAOS_SEED=$(SEED) PATH="$$PATH:/usr/sbin:/sbin" \
		$(CARGO) test --release --locked --test chaos -- --nocapture

# Unsafe code stands in one file of system calls, src/source/live/socket.rs, and these tests reach all of it: waiting,
# fan-out groups, what an interface says of itself, and that it went away. Root only.
MEMCHECK = valgrind --quiet --error-exitcode=99
UNSAFE = two_sockets_share goes_down_or_away down_or_missing loopback_has_an_mtu
valgrind:
	@scripts/need.sh test
	PATH="$$PATH:/usr/sbin:/sbin" $(CARGO) test --locked --config "target.'cfg(unix)'.runner='$(MEMCHECK)'" \
		--lib --test live -- --test-threads 1 $(UNSAFE)

# Needs cargo-fuzz; runs on the stable toolchain.
fuzz-smoke:
	@scripts/fuzz.sh 30
FUZZ_SECONDS ?= 3600
fuzz:
	@scripts/fuzz.sh $(FUZZ_SECONDS)

bench:
	@scripts/need.sh build
	$(CARGO) bench --locked

# Against softflowd, nfpcapd, tcpdump and a bare loop; PACKETS=1000000 RUNS=3 for a quick look.
peers: release
	PEERS_DIR=target/peers/programs benches/peers/compare.sh --install
	benches/peers/run.sh $(VIGIE)

cost: release
	benches/cost.py $(VIGIE)

instructions: release
	VIGIE_INSTRUCTIONS_OF=$(VIGIE) $(CARGO) test --locked --test instructions -- --nocapture

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	$(CARGO) deny --offline --locked check bans licenses sources

# For machines without libpcap or with another C library; LIBPCAP_SOURCE names libpcap's release where nothing can be fetched.
static:
	@scripts/static.sh

# With the unit, manual pages, completions and a configuration to fill in.
PACKAGE = target/package
deb: release
	@mkdir -p $(PACKAGE)/man
	$(VIGIE) man -o $(PACKAGE)/man
	$(VIGIE) completions bash > $(PACKAGE)/vigie.bash
	$(VIGIE) completions zsh > $(PACKAGE)/_vigie
	$(VIGIE) completions fish > $(PACKAGE)/vigie.fish
	$(CARGO) deb --no-build $(if $(MAINTAINER),--maintainer "$(MAINTAINER)")

sbom:
	$(CARGO) cyclonedx --format json --spec-version 1.5
	@mkdir -p target
	mv vigie.cdx.json target/

reproducible:
	scripts/reproducible.sh
