# The commands of this repository; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-team test fuzz-api bench bench-dub bench-server clean-out

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1 \2/p' $(MAKEFILE_LIST) | awk '{ name = $$2; $$1 = ""; $$2 = ""; printf "  make %-12s %s\n", name, substr($$0, 3) }'

setup: ## install what Pressroom needs and this machine lacks (says what; may be run twice)
	@scripts/setup run

demo: setup ## build, and turn every script in examples/ into a video in out/
	@scripts/demo

demo-team: setup ## start a team on this machine, let it make a video and a dub, and stop it
	@scripts/setup team
	@cargo build --release
	@cargo xtask demo-team

test: ## every check: format, lints, layout, licences, tests
	@scripts/setup test
	@scripts/test

fuzz-api: setup ## ask the server what its document allows and forbids, and look whether it answers as the document says
	@cargo build
	@scripts/fuzz-api

bench: setup ## measure against the bare encode, and write docs/benchmarks.md
	@cargo build --release
	@cargo xtask bench

bench-dub: setup ## measure dubs: how good they are and what they cost, and write docs/benchmarks-dubbing.md
	@cargo build --release
	@cargo xtask bench-dub

bench-server: setup ## measure the server and its queue, and write docs/benchmarks-server.md
	@scripts/setup bench
	@cargo build --release
	@cargo build --release --package platform --features testing --examples
	@cargo xtask bench-server

clean-out: ## delete the videos in out/
	@rm -rf out
