# Needs Rust (rustup), make, Python and a shell, and Go once, for the API server of the tests. All else is built when it is
# missing, into $(CACHE), outside the checkout. `make help` reads the comments behind the targets.

SHELL := /bin/sh
CACHE := $(or $(CLICKUP_OPERATOR_CACHE),$(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME)/clickup-operator,$(HOME)/.cache/clickup-operator))
TARGET := $(or $(CARGO_TARGET_DIR),target)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# The image that `image` makes and `install` runs.
IMAGE ?= clickup-operator:$(VERSION)
# Which Kubernetes the tests run on; without it the newest.
KUBE ?=
# What the image and the release are built for; another one needs its target and linker.
TRIPLE ?= $(shell rustc -vV | sed -n 's/^host: //p')
# How long a soak takes. More arguments for it.
MINUTES ?= 120
SOAK_ARGS ?=
# More arguments for a run of faults, and for the picture of the dashboard.
CHAOS_ARGS ?=
DASHBOARD_ARGS ?=
# Connections of a benchmark or a profile; without it, all sizes or 1000. More arguments for the benchmark.
SIZE ?=
BENCH_ARGS ?=

CARGO_DENY := $(CACHE)/tools/cargo-deny-0.20.2/bin/cargo-deny
INFERNO := $(CACHE)/tools/inferno-0.12.8/bin
CARGO_AUDITABLE := $(CACHE)/tools/cargo-auditable-0.7.7/bin/cargo-auditable
CARGO_CYCLONEDX := $(CACHE)/tools/cargo-cyclonedx-0.5.9/bin/cargo-cyclonedx
CARGO_MUTANTS := $(CACHE)/tools/cargo-mutants-27.1.0/bin/cargo-mutants
# Which part of the mutants `mutants` tries: this one of so many. More arguments, such as --file src/connection/summary.rs.
SHARD ?= 0/1
MUTANTS_ARGS ?=
CARGO_FUZZ := $(CACHE)/tools/cargo-fuzz-0.13.2/bin/cargo-fuzz
# What `fuzz` runs, one after the other, each for so long.
FUZZ ?= answer rate_limit teams token
FUZZ_SECONDS ?= 600
FUZZ_TOOLCHAIN ?= nightly
MDBOOK := $(CACHE)/tools/mdbook-0.5.4/bin/mdbook
BOOK := $(TARGET)/debug/book build --mdbook "$(MDBOOK)" --to $(TARGET)/book
ZIZMOR_VERSION := 1.32.0
ZIZMOR := $(CACHE)/tools/zizmor-$(ZIZMOR_VERSION)/bin/zizmor
# The operator with the C library linked in and its dependencies listed inside.
STATIC := $(TARGET)/$(TRIPLE)/dist/clickup-operator
TOOL := $(TARGET)/debug/control-plane tool
# Only what a target needs.
BUILD := cargo build --release --locked --workspace --bin clickup-simulator
# The operator as it is shipped, for what measures it.
SHIP := cargo build --profile dist --locked --package clickup-operator --bin clickup-operator
SHIPPED := $(TARGET)/dist/clickup-operator

.DEFAULT_GOAL := help
.PHONY: help demo try dev bench bench-core chaos dashboard profile soak test lint lint-workflows fmt fuzz mutants generate docs release-check release-notes image image-archive manifests chart program release checksums install uninstall clean deny fuzz-tools kubectl static tools

##@ See it work (real Kubernetes API server on this machine, nothing else needed)

demo: ## A story in the terminal, half a minute: what the operator does, with real kubectl output
	@$(BUILD) --bin clickup-operator --bin demo
	@$(TARGET)/release/demo

try: ## Check a ClickUp token of yours with the real ClickUp; asks for it, or takes CLICKUP_TOKEN; leaves nothing behind
	@$(BUILD) --bin clickup-operator --bin try-clickup
	@$(TARGET)/release/try-clickup

dev: ## API server, simulated ClickUp and operator, left running until Ctrl-C, with the KUBECONFIG to export
	@$(BUILD) --bin clickup-operator --bin dev
	@$(TARGET)/release/dev

bench: ## Beside a bare loop: all sizes in half an hour, or SIZE=1000 alone in five minutes; BENCH_ARGS=--write-docs
	@$(SHIP) && $(BUILD) --bin bench
	@$(TARGET)/release/bench --operator $(SHIPPED) $(if $(SIZE),--size $(SIZE)) $(BENCH_ARGS)

soak: ## Whether memory grows: MINUTES=120 of everyday life with 500 connections; SOAK_ARGS=--write-docs
	@$(SHIP) && $(BUILD) --bin soak
	@$(TARGET)/release/soak --operator $(SHIPPED) --minutes $(MINUTES) $(SOAK_ARGS)

# SEED and MINUTES reach it as environment: make exports what the command line sets.
chaos: ## Half an hour of faults, with a report; SEED=7 repeats an order, MINUTES=10 is shorter, CHAOS_ARGS=--plan shows it
	@$(BUILD) --bin clickup-operator --bin chaos
	@$(TARGET)/release/chaos $(CHAOS_ARGS)

dashboard: ## Draw the dashboard from eight minutes with trouble in them; DASHBOARD_ARGS=--write-docs puts it into docs/
	@$(BUILD) --bin clickup-operator --bin dashboard
	@$(TARGET)/release/dashboard $(DASHBOARD_ARGS)

bench-core: ## What the pure parts cost: verdict, status, /team, budget, index; two minutes
	cargo bench --locked --bench pure_core

profile: $(INFERNO)/inferno-flamegraph ## Flame graphs of time and memory, by perf and heaptrack: a cold start of SIZE=1000, and checks that change nothing
	@$(BUILD) --bin bench
	@# Frame pointers make perf's stacks whole; what others build is not to be built anew for them.
	@RUSTFLAGS="-C force-frame-pointers=yes" cargo build --locked --profile profiling --bin clickup-operator
	@PATH="$(INFERNO):$$PATH" $(TARGET)/release/bench --profile $(TARGET)/profile \
	  --operator $(TARGET)/profiling/clickup-operator $(if $(SIZE),--size $(SIZE))

##@ Work on it

# KUBE=1.34 has the tests run on the oldest version of Kubernetes that is supported.
test: export CLICKUP_OPERATOR_KUBERNETES := $(KUBE)
test: ## All checks: format, lints, licences and sources of the dependencies, all tests (with what is generated); KUBE=1.34 on the oldest Kubernetes
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	@$(MAKE) --no-print-directory deny
	cargo test --locked --workspace --no-run
	@# Before the tests, which would hide for twenty minutes that they build the API server and other Go programs. Not
	@# by `cargo run`, which would compile everything a second time, without the features that only the tests have.
	$(TARGET)/debug/control-plane build
	cargo test --locked --workspace
	@# With the programs that the tests were built with.
	@$(MAKE) --no-print-directory "$(MDBOOK)"
	$(BOOK)
	@$(MAKE) --no-print-directory lint-workflows

fuzz: fuzz-tools ## Made-up input for FUZZ="answer rate_limit teams token", FUZZ_SECONDS=600 each, on a nightly toolchain
	@# What is found goes to fuzz/target/corpus, beside the checked-in corpus; what breaks a property to fuzz/artifacts.
	@for target in $(FUZZ); do \
	  echo "$$target: $(FUZZ_SECONDS) seconds, after it is built"; \
	  mkdir -p fuzz/target/corpus/$$target && \
	  RUSTUP_TOOLCHAIN=$(FUZZ_TOOLCHAIN) $(CARGO_FUZZ) fuzz run $$target fuzz/target/corpus/$$target fuzz/corpus/$$target -- \
	    -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 -print_final_stats=1 || exit 1; \
	done

lint: ## Only the lints, as in `test`
	cargo clippy --locked --workspace --all-targets -- -D warnings

fmt: ## Format the code
	cargo fmt --all

# The copy that cargo-mutants works on has its builds in a directory that stays: only the first run builds everything.
mutants: $(CARGO_MUTANTS) ## Break the core in each way and see whether a test notices: three hours, a tenth with SHARD=0/10
	CARGO_TARGET_DIR="$(abspath $(TARGET))/mutants" $(CARGO_MUTANTS) mutants --output $(TARGET) \
	  --shard $(SHARD) --sharding round-robin $(MUTANTS_ARGS)

generate: ## Rewrite crds/ from the types in src/api, tables, schema and ConfigMap from them, PrometheusRules from their rules; `test` fails when they differ
	@# By way of a second file: a build that fails must not leave an empty CRD.
	cargo run --quiet --locked -- crd > $(TARGET)/crd.yaml.new
	mv $(TARGET)/crd.yaml.new crds/clickupconnections.yaml
	cargo run --quiet --locked --package book -- generate
	cargo run --quiet --locked --package test-support --bin chart-files
	@# The JSON schema, and Argo CD's ConfigMap with the health check.
	CLICKUP_OPERATOR_WRITE_GENERATED=1 cargo test --quiet --locked --test gitops generated
	@for of in alerts:prometheusrule token-age:prometheusrule-token-age; do \
	  rules=$${of%%:*} resource=$${of##*:} && { \
	    printf '%s\n' "# Made from $$rules.yaml by \`make generate\`." 'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' \
	      'metadata:' "  name: clickup-operator$${resource#prometheusrule}" '  namespace: clickup-operator' \
	      '  labels:' '    app.kubernetes.io/name: clickup-operator' 'spec:' && \
	    sed -n '/^groups:/,$$ s/^./  &/p' "deploy/monitoring/$$rules.yaml"; } > "deploy/monitoring/$$resource.yaml"; \
	done

docs: $(MDBOOK) ## The documentation as a book, in target/book/html; fails where a link leads nowhere
	@cargo build --quiet --locked --package book
	@$(BOOK)

lint-workflows: $(ZIZMOR) ## The workflows of GitHub: actionlint, and zizmor without network
	go -C tests/tools/actionlint tool actionlint -no-color $(CURDIR)/.github/workflows/*.yaml
	$(ZIZMOR) --offline --quiet --no-progress --persona=auditor .github/workflows

clean: ## Remove what was built in the checkout; API server and tools stay in their cache
	cargo clean
	cargo clean --manifest-path fuzz/Cargo.toml
	@echo "API server and tools stay in $(CACHE)"

##@ Run it on a cluster of your own (the one that kubectl talks to: KUBECONFIG=... make install)

image: ## Build the container image IMAGE=clickup-operator:VERSION with docker; where none answers, as an OCI archive in dist/
	@if docker info >/dev/null 2>&1; then \
	  docker build --tag "$(IMAGE)" .; \
	else \
	  echo "No docker answers: the image becomes an OCI archive, for skopeo copy oci-archive:FILE docker://REGISTRY/..."; \
	  $(MAKE) --no-print-directory image-archive; \
	fi

# The image is patched in by a kustomization in the build directory; deploy/ stays as it is. JSON 6902, because
# it takes any IMAGE as it is written, with port, tag or digest.
OVERLAY = mkdir -p target && overlay=$$(mktemp -d target/install.XXXXXX) && trap 'rm -rf "$$overlay"' EXIT && \
	printf '%s\n' 'resources: [../../deploy/base]' 'patches:' \
	  '- target: {kind: Deployment, name: clickup-operator}' \
	  '  patch: |-' \
	  '    [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "$(IMAGE)"}]' \
	  > "$$overlay/kustomization.yaml"

install: kubectl ## kubectl apply -k deploy/base with IMAGE=..., then wait until the operator runs
	@echo "Installing $(IMAGE) with context $$(kubectl config current-context)"
	@$(OVERLAY) && \
	kubectl apply -k "$$overlay"
	@kubectl --namespace clickup-operator rollout status deployment/clickup-operator --timeout=120s || { \
	  echo "The operator does not become ready. Can the cluster pull $(IMAGE)? See:" >&2; \
	  echo "  kubectl --namespace clickup-operator describe pods" >&2; \
	  exit 1; }

uninstall: kubectl ## Remove the operator, the CRD and with it all ClickUpConnections; their Secrets stay
	@echo "Removing the operator with context $$(kubectl config current-context)"
	kubectl delete -k deploy/base --ignore-not-found

##@ Make a release (docs/releases.md), into dist/

# Also where docker is there.
image-archive: static tools
	@$(TARGET)/debug/image --binary $(STATIC) --version $(VERSION) --archive dist/clickup-operator-$(VERSION)-$(TRIPLE).oci.tar

manifests: tools ## All that deploy/base installs in one file, dist/install.yaml, with IMAGE=...
	@mkdir -p dist && kubectl=$$($(TOOL) kubectl) && $(OVERLAY) && \
	"$$kubectl" kustomize "$$overlay" > dist/install.yaml.new
	@mv dist/install.yaml.new dist/install.yaml && echo dist/install.yaml

chart: tools ## The Helm chart as a package in dist/, its values with IMAGE=REPOSITORY:TAG@DIGEST
	@rm -rf $(TARGET)/chart && mkdir -p $(TARGET)/chart dist && cp -r deploy/charts/clickup-operator $(TARGET)/chart/
	@image='$(IMAGE)' && digest= tag= && \
	case "$$image" in *@*) digest=$${image#*@} image=$${image%%@*};; esac && \
	case "$${image##*/}" in *:*) tag=$${image##*:} image=$${image%:*};; esac && \
	sed -i -e '/^image:/,/^[^ ]/ {' -e "s|^  repository: .*|  repository: $$image|" -e "s|^  tag: .*|  tag: \"$$tag\"|" \
	  -e "s|^  digest: .*|  digest: \"$$digest\"|" -e '}' $(TARGET)/chart/clickup-operator/values.yaml
	@helm=$$($(TOOL) helm) && "$$helm" package $(TARGET)/chart/clickup-operator --destination dist >/dev/null
	@echo dist/clickup-operator-$(VERSION).tgz

program: image-archive $(CARGO_CYCLONEDX) ## The operator as a program of one file for TRIPLE=..., its image as an archive, and its SBOM, in dist/
	cp $(STATIC) dist/clickup-operator-$(VERSION)-$(TRIPLE)
	@# Beside each manifest is where it writes; the operator's is all that is wanted.
	$(CARGO_CYCLONEDX) cyclonedx --quiet --format json --spec-version 1.5 --target $(TRIPLE) --override-filename sbom.cdx
	@# Where it was built is nobody's business.
	sed 's|file://$(CURDIR)|file:///src|g' sbom.cdx.json > dist/clickup-operator-$(VERSION)-$(TRIPLE).cdx.json
	rm -f sbom.cdx.json tests/*/sbom.cdx.json

release: program chart manifests ## All that a release has, into dist/: program, image, SBOM, chart, install.yaml, checksums
	@$(MAKE) --no-print-directory checksums

# What the targets above need; not for people.

checksums:
	cd dist && sha256sum clickup-operator-$(VERSION)* install.yaml > SHA256SUMS

kubectl:
	@command -v kubectl >/dev/null || { \
	  echo "kubectl is not in PATH, and reaches your cluster: https://kubernetes.io/docs/tasks/tools/" >&2; exit 1; }
	@kubectl config current-context >/dev/null 2>&1 || { \
	  echo "kubectl knows no cluster: KUBECONFIG=FILE make install, or kubectl config use-context NAME" >&2; exit 1; }

deny: $(CARGO_DENY)
	$(CARGO_DENY) --locked --all-features check --hide-inclusion-graph bans licenses sources

# Programs that cargo builds, once: CACHE/tools/CRATE-VERSION/bin/PROGRAM says what.
BUILT := $(CARGO_DENY) $(MDBOOK) $(CARGO_CYCLONEDX) $(CARGO_MUTANTS) $(CARGO_AUDITABLE) $(CARGO_FUZZ) $(INFERNO)/inferno-flamegraph
$(BUILT): TAKES := a minute
$(CARGO_CYCLONEDX) $(CARGO_MUTANTS): TAKES := two minutes
$(CARGO_DENY) $(MDBOOK): TAKES := three minutes
$(BUILT): WITH :=
$(MDBOOK): WITH := --no-default-features --features search
$(BUILT):
	@root="$(patsubst %/bin,%,$(@D))" && tool=$${root##*/} && crate=$${tool%-*} version=$${tool##*-} && \
	echo "Building $$crate $$version, once, about $(TAKES) on two cores, into $(CACHE)/tools" && \
	cargo install --quiet --locked --root "$$root" $(WITH) $$crate@$$version

$(ZIZMOR):
	@echo "Installing zizmor $(ZIZMOR_VERSION), once, into $(CACHE)/tools"
	@rm -rf "$(CACHE)/tools/zizmor-$(ZIZMOR_VERSION)"
	python3 -m venv "$(CACHE)/tools/zizmor-$(ZIZMOR_VERSION)"
	"$(CACHE)/tools/zizmor-$(ZIZMOR_VERSION)/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: zizmor==$(ZIZMOR_VERSION)

# What the release workflow asks first: VERSION_TAG=v0.1.0 is the version that is checked out, and the changelog knows it.
release-check:
	@[ "$(VERSION_TAG)" = "v$(VERSION)" ] || { \
	  echo "the tag is $(VERSION_TAG), and Cargo.toml has version $(VERSION)" >&2; exit 1; }
	@grep -q '^## $(VERSION)\b' CHANGELOG.md || { echo "CHANGELOG.md has no section \"## $(VERSION)\"" >&2; exit 1; }
	@echo "$(VERSION_TAG) is version $(VERSION), and in the changelog"

# What the changelog says about the version that is checked out.
release-notes:
	@awk '/^## / { ours = $$2 == "$(VERSION)"; next } ours' CHANGELOG.md

# Not by `cargo run`, which would compile everything a second time, without the features that only the tests have.
tools:
	@cargo build --quiet --locked --workspace --bin control-plane --bin image

# With --target, so that what only runs at build time is linked as always.
static: $(CARGO_AUDITABLE)
	RUSTFLAGS="-C target-feature=+crt-static" $(CARGO_AUDITABLE) auditable build --profile dist --locked \
	  --package clickup-operator --bin clickup-operator --target $(TRIPLE)

fuzz-tools: $(CARGO_FUZZ)
	@rustup which --toolchain $(FUZZ_TOOLCHAIN) rustc >/dev/null 2>&1 || { \
	  echo "fuzzing needs a nightly toolchain: rustup toolchain install $(FUZZ_TOOLCHAIN), or FUZZ_TOOLCHAIN=NAME for another" >&2; exit 1; }
	@command -v c++ >/dev/null || { echo "fuzzing needs a C++ compiler, such as g++" >&2; exit 1; }

help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
