# rtrun: `make` alone lists the targets.

TARGET   = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
RTRUN    = target/$(TARGET)/release/rtrun
CRATES   = rtrun rtrun-hooks rt-container-cli latency-agent gol-agent
PROGRAMS = rtrun rtrun-hook rt-container-cli latency-agent gol-agent
BINS     = $(PROGRAMS:%=--bin $(dir $(RTRUN))%)
PREFIX  ?= /usr/local
HOOKS_DIR ?= /usr/share/containers/oci/hooks.d
# One static file: no loader, no library to map at each of a container's three commands, nothing of the host to link with.
STATIC  := -C target-feature=+crt-static -C relocation-model=static
CARGO   := cargo
FUZZ_SECONDS ?= 60
CYCLES  ?= 10000

.DEFAULT_GOAL := help
.PHONY: lab lab-test help run test bench build install lint unit fuzz clean deps

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## start a container under SCHED_FIFO on a chosen CPU, show what the kernel says of it (CPU=n, PRIORITY=n)
	scripts/hello-rt $(RTRUN)

test: ## every test: lint, unit, conformance, crash, agents, podman, containerd, docker; LAB_RING=short: in the lab too (as root)
	scripts/install-deps run test lab
	scripts/test $(RTRUN)

bench: build ## what a container's life costs, beside crun and runc; what the kernel of the Game of Life reaches, and its agents beside MPI (as root)
	scripts/install-deps bench
	RUSTFLAGS="$(STATIC)" $(CARGO) build --quiet --release --target $(TARGET) -p rtrun-bench
	target/$(TARGET)/release/rtrun-bench --runtime rtrun=$(RTRUN) --runtime crun --runtime runc \
		--html target/bench.html --json target/bench.json
	$(dir $(RTRUN))gol-agent bench
	bundles/gol/benches/mpi/compare

scale: build ## 500 containers at once, and CYCLES lives (default 10000) without a leak: target/scale.html (as root)
	RUSTFLAGS="$(STATIC)" $(CARGO) build --quiet --release --target $(TARGET) -p rtrun-bench
	target/$(TARGET)/release/rtrun-bench --runtime rtrun=$(RTRUN) --rounds 5 --scale 500 --cycles $(CYCLES) --html target/scale.html

faults: build ## every system call of every command fails once: writes conformance/crash/FAULTS.md (as root)
	RUSTFLAGS="$(STATIC)" $(CARGO) run --quiet --release --target $(TARGET) -p rtrun-crash -- --runtime $(RTRUN) \
		--seconds 600 --table conformance/crash/FAULTS.md faults-in-

lab: build ## a PREEMPT_RT machine with this build in it: a shell, or CMD='…'; conformance/lab/lab help tells more
	@scripts/install-deps lab
	@conformance/lab/lab $(BINS) $(LAB) $(if $(CMD),run '$(subst ','\'',$(CMD))',shell)

lab-test: build ## the cases that need that machine (LAB_TEST='--short', or patterns)
	@scripts/install-deps lab
	RUSTFLAGS="$(STATIC)" $(CARGO) build --quiet --release --target $(TARGET) -p rtrun-conformance
	conformance/lab/lab $(BINS) --bin target/$(TARGET)/release/rtrun-conformance $(LAB) test $(LAB_TEST)

build: deps ## static binaries (rtrun, rtrun-hook, rt-container-cli, the agents): target/<triple>/release/
	RUSTFLAGS="$(STATIC)" $(CARGO) build --quiet --release --target $(TARGET) $(CRATES:%=-p %)

install: build ## to $(DESTDIR)$(PREFIX)/bin (default PREFIX=/usr/local), hooks for podman and CRI-O to $(DESTDIR)$(HOOKS_DIR)
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS:%=$(dir $(RTRUN))%) $(DESTDIR)$(PREFIX)/bin
	install -d $(DESTDIR)$(HOOKS_DIR)
	for hook in hooks/hooks.d/*.json; do \
		sed 's|/usr/local/bin/|$(PREFIX)/bin/|' "$$hook" >$(DESTDIR)$(HOOKS_DIR)/"$${hook##*/}" || exit 1; done

lint: ## formatting, clippy, shell scripts
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --quiet --workspace --all-targets -- -D warnings
	shellcheck -x -S warning -e SC2154 scripts/* .ci/run conformance/e2e/*.sh conformance/e2e/*/*.sh conformance/lab/lab conformance/lab/guest/init conformance/lab/guest/initrd conformance/lab/guest/run conformance/lab/*/*.sh

unit: ## unit tests only
	$(CARGO) test --quiet --workspace

fuzz: ## each fuzz target for FUZZ_SECONDS (default 60), on the stable toolchain
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --quiet -p rtrun --test fuzz -- --nocapture --test-threads 1

clean: ## remove what was built
	$(CARGO) clean

deps:
	@scripts/install-deps run
