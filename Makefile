# Thin on purpose: what each target does is in crates/xtask, a file for each.
XTASK := cargo run --quiet --package xtask --

.PHONY: demo up down plugin setup test test-all test-kernels schemathesis fuzz sim bench bench-hosts fmt lint install uninstall

## the tutorial, step by step, on this machine
demo:
	$(XTASK) demo

## build and start everything beside a Docker engine
up:
	$(XTASK) up

## remove every trace of `make demo` and `make up`
down:
	$(XTASK) down

setup:
	$(XTASK) setup --test

## the managed plugin for Docker Swarm, contiv/netplugin:$(TAG)
plugin:
	$(XTASK) plugin

## everything that proves the tree
test:
	$(XTASK) test

## `make test` and the slow suites
test-all:
	$(XTASK) test-all

## the data plane under Debian 12's own kernel, in a virtual machine
test-kernels:
	$(XTASK) test-kernels

schemathesis:
	$(XTASK) schemathesis

## anything at all, thrown at parsers and tables
fuzz:
	$(XTASK) fuzz

## clusters in virtual time, 20,000 seeds; `make sim SIM="--seed 7 --tell"` shows one
sim:
	cargo run --release --quiet --package contiv-simulation -- $(SIM)

## Contiv beside its alternatives, 20 minutes on a machine that is quiet; writes benches/REPORT.md.
## `make bench BENCH="--quick"` shows that all of it runs, `BENCH=--help` what else there is
bench: setup
	cargo run --release --quiet --package contiv-bench -- $(BENCH)

## a netmaster and a thousand simulated hosts; writes benches/HOSTS.md
bench-hosts:
	cargo build --release --quiet --package netmaster
	cargo run --release --quiet --package contiv-bench --bin contiv-bench-hosts -- $(BENCH)

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

## systemd units and programs, into this machine's usual places
install:
	packaging/install.sh

uninstall:
	packaging/uninstall.sh
