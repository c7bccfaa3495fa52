# The front door. Each target installs what it lacks (tools/setup), builds what it needs, and runs.
# Behind it stand Meson and Ninja; everything that is made lies in build/.

.DEFAULT_GOAL := help
.PHONY: help run build test test-apps test-all soak soak-trouble sim-long mutate check-style tidy fuzz prove bench bench-parse bench-cidr bench-limiter bench-scale \
	bench-router bench-handshakes docs clean install site setup setup-test uninstall

export PREFIX DESTDIR SYSCONFDIR # for `make install PREFIX=...`
BUILD := $(or $(RIVER_BUILD),build)

# What `make run` starts. It serves the manual from build/docs; with RIVER_BUILD a copy says where it is.
EXAMPLE := $(if $(RIVER_BUILD),$(BUILD)/quickstart.kdl,examples/quickstart.kdl)

help: ## this list
	@echo "River, a reverse proxy. Targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	 || sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1   \2/p' Makefile

setup:
	@tools/setup build

setup-test:
	@tools/setup test

build: setup ## build the release binary, build/river
	@tools/build release

site: setup
	@tools/docs site

run: build site ## build River and start it with examples/quickstart.kdl
	@$(if $(RIVER_BUILD),sed 's|"build/|"$(BUILD)/|' examples/quickstart.kdl > $(EXAMPLE))
	@sed -n 's/^\/\/ open: /  /p' examples/quickstart.kdl
	@echo "Ctrl-C stops it."
	@exec $(BUILD)/river --config-kdl $(EXAMPLE)

test: setup-test ## build everything and run all tests (FRESH=1 repeats what passed unchanged)
	@python3 tests/run

test-apps: setup-test build ## install a dozen real applications into build/apps, work with each behind River (WORDS="git s3")
	@RIVER_BINARY=$(or $(RIVER_BINARY),$(abspath $(BUILD))/river) python3 tests/apps/run $(WORDS)

test-all: test test-apps ## both

soak: setup-test build ## a million requests through 100 reloads and 20 upgrades (SOAK="--requests N ...")
	@python3 tests/soak/zero_loss.py $(SOAK)

soak-trouble: setup-test build ## real clients for MINUTES=60 while origins are stopped, killed and started
	@RIVER_BINARY=$(BUILD)/river python3 tests/soak/trouble.py --minutes $(or $(MINUTES),60)

SIM := $(BUILD)/release/tests/sim/sim
sim-long: setup-test ## simulated trials beyond those of `make test` (FIRST=10000 SEEDS=1000000)
	@tools/build release tests/sim/sim
	@$(SIM) --shard 0/2 $(or $(FIRST),10000) $(or $(SEEDS),1000000) & first=$$!; \
	 $(SIM) --shard 1/2 $(or $(FIRST),10000) $(or $(SEEDS),1000000); second=$$?; \
	 wait $$first && exit $$second

mutate: setup-test ## how many deleted wake-ups, re-arms and queue-leaving calls the simulation finds
	@python3 tests/sim/mutate.py $(MUTATE)

check-style: setup-test ## layers, sizes, banned calls; clang-tidy and gcc's analyser on base and http
	@python3 tests/run style tidy

tidy: setup-test ## clang-tidy and gcc's analyser on base and http
	@python3 tests/run tidy

fuzz: setup-test ## fuzz every parser (SECONDS=60 each)
	@tests/fuzz/run $(or $(SECONDS),60)

prove: setup-test ## prove the leaf parsers with Frama-C Eva
	@python3 tests/proof/prove

bench: setup-test build ## measure River beside its peers
	@python3 bench/run.py --save

bench-parse: setup-test ## nanoseconds for one request head, one chunked body
	@tools/build release tests/bench_parse && $(BUILD)/release/tests/bench_parse

bench-cidr: setup-test ## look-ups a second in sets of a million prefixes
	@tools/build release tests/bench_cidr && $(BUILD)/release/tests/bench_cidr

bench-limiter: setup-test ## rate-limit checks a second, many keys and one
	@tools/build release tests/bench_limiter && $(BUILD)/release/tests/bench_limiter $(THREADS)

bench-scale: setup-test build ## 10,000 services and certificates beside the peers, from the start on
	@tools/build release tests/bench_certificate_cache && python3 bench/scale.py

bench-handshakes: setup-test build ## TLS 1.3 handshakes, full and resumed, beside nginx
	@python3 bench/handshakes.py

bench-router: setup-test ## what choosing a route costs, among 10 and among 10,000
	@tools/build release tests/bench_router && $(BUILD)/release/tests/bench_router

docs: build ## write the manual's generated page, and all of it as a web site, build/docs
	@tools/docs

install: ## put what was built into PREFIX=/usr/local, with unit, man page, completions (DESTDIR=)
	@tools/install install

uninstall: ## remove that again; a changed configuration stays
	@tools/install uninstall

clean: ## remove everything that was built
	rm -rf build
