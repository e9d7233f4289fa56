# Needs Rust (rustup), make and a shell, and Go once, for the API server of the tests. All else is built when it is
# missing, into $(CACHE), outside the checkout. `make help` reads the comments behind the targets.

SHELL := /bin/sh
CACHE := $(or $(CLICKUP_OPERATOR_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/clickup-operator,$(HOME)/.cache/clickup-operator))
TARGET := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# The image that `image` makes and `install` runs.
IMAGE ?= clickup-operator:$(VERSION)
# Connections of a benchmark.
SIZE ?= 1000

CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny
# Only what a target needs: each program is optimised as a whole when it is linked, which takes a minute or two.
BUILD := cargo build --release --locked --workspace --bin clickup-operator --bin clickup-simulator

.DEFAULT_GOAL := help
.PHONY: help demo try dev bench test lint fmt generate image install uninstall clean deny kubectl

##@ See it work (real Kubernetes API server on this machine, nothing else needed)

demo: ## A story in the terminal, half a minute: what the operator does, with real kubectl output
	@$(BUILD) --bin demo
	@$(TARGET)/release/demo

try: ## Check a ClickUp token of yours with the real ClickUp; asks for it, or takes CLICKUP_TOKEN; leaves nothing behind
	@$(BUILD) --bin try-clickup
	@$(TARGET)/release/try-clickup

dev: ## API server, simulated ClickUp and operator, left running until Ctrl-C, with the KUBECONFIG to export
	@$(BUILD) --bin dev
	@$(TARGET)/release/dev

bench: ## Cold start of SIZE=1000 connections, beside a bare loop that does only the unavoidable
	@$(BUILD) --bin bench
	@$(TARGET)/release/bench --size $(SIZE)

##@ Work on it

test: ## All checks: format, lints, licences and sources of the dependencies, all tests (with what is generated)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@$(MAKE) --no-print-directory deny
	cargo test --locked --workspace --no-run
	@# Before the tests, which would hide for ten minutes that they build the API server. Not by `cargo run`, which
	@# would compile everything a second time, without the features that only the tests have.
	$(TARGET)/debug/control-plane build
	cargo test --locked --workspace

lint: ## Only the lints, as in `test`
	cargo clippy --locked --workspace --all-targets -- -D warnings

fmt: ## Format the code
	cargo fmt --all

generate: ## Rewrite crds/ from the types in src/api; `test` fails when they differ
	@# By way of a second file: a build that fails must not leave an empty CRD.
	cargo run --quiet --locked -- crd > $(TARGET)/crd.yaml.new
	mv $(TARGET)/crd.yaml.new crds/clickupconnections.yaml

clean: ## Remove what was built in the checkout; API server and tools stay in their cache
	cargo clean
	@echo "API server and tools stay in $(CACHE)"

##@ Run it on a cluster of your own (the one that kubectl talks to: KUBECONFIG=... make install)

image: ## Build the container image IMAGE=clickup-operator:VERSION with docker
	docker build --tag "$(IMAGE)" .

# The image is patched in by a kustomization in the build directory; deploy/ stays as it is. JSON 6902, because
# it takes any IMAGE as it is written, with port, tag or digest.
install: kubectl ## kubectl apply -k deploy/base with IMAGE=..., then wait until the operator runs
	@echo "Installing $(IMAGE) with context $$(kubectl config current-context)"
	@mkdir -p target && overlay=$$(mktemp -d target/install.XXXXXX) && trap 'rm -rf "$$overlay"' EXIT && \
	printf '%s\n' 'resources: [../../deploy/base]' 'patches:' \
	  '- target: {kind: Deployment, name: clickup-operator}' \
	  '  patch: |-' \
	  '    [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "$(IMAGE)"}]' \
	  > "$$overlay/kustomization.yaml" && \
	kubectl apply -k "$$overlay"
	@kubectl --namespace clickup-operator rollout status deployment/clickup-operator --timeout=120s || { \
	  echo "The operator does not become ready. Can the cluster pull $(IMAGE)? See:" >&2; \
	  echo "  kubectl --namespace clickup-operator describe pods" >&2; \
	  exit 1; }

uninstall: kubectl ## Remove the operator, the CRD and with it all ClickUpConnections; their Secrets stay
	@echo "Removing the operator with context $$(kubectl config current-context)"
	kubectl delete -k deploy/base --ignore-not-found

# What the targets above need; not for people.

kubectl:
	@command -v kubectl >/dev/null || { \
	  echo "kubectl is not in PATH, and reaches your cluster: https://kubernetes.io/docs/tasks/tools/" >&2; exit 1; }
	@kubectl config current-context >/dev/null 2>&1 || { \
	  echo "kubectl knows no cluster: KUBECONFIG=FILE make install, or kubectl config use-context NAME" >&2; exit 1; }

deny: $(CARGO_DENY)
	$(CARGO_DENY) --locked --all-features check --hide-inclusion-graph bans licenses sources

$(CARGO_DENY):
	@echo "Building cargo-deny $(CARGO_DENY_VERSION), once, about three minutes on two cores, into $(CACHE)/tools"
	cargo install --quiet --locked --root "$(CACHE)/tools/cargo-deny-$(CARGO_DENY_VERSION)" cargo-deny@$(CARGO_DENY_VERSION)

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
