#!/bin/sh
# Writes the Go module that pins kube-apiserver, kubectl and etcd: make-module.sh 1.37.2 3.7.3
set -eu
kubernetes=${1:?version of Kubernetes, such as 1.37.2} etcd=${2:?version of etcd, such as 3.7.3}
minor=${kubernetes%.*}
directory=$(dirname "$0")/kubernetes-$minor
mkdir -p "$directory"
cd "$directory"
rm -f go.mod go.sum

go mod init "clickup-operator.dev/control-plane/kubernetes-$minor"
go mod edit -require="k8s.io/kubernetes@v$kubernetes"
# Kubernetes names each of its own modules at v0.0.0 and replaces it. Replacements in a dependency do not count,
# so they are repeated here.
source=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
for module in $(sed -n 's|^[[:space:]]*\(k8s.io/[a-z-]*\) => ./staging/.*|\1|p' "$source"); do
    go mod edit -replace="$module=$module@v0.${kubernetes#*.}"
done
# Without these versions `go get` would take the newest.
go get -tool "k8s.io/kubernetes/cmd/kube-apiserver@v$kubernetes" "k8s.io/kubernetes/cmd/kubectl@v$kubernetes" \
    "go.etcd.io/etcd/server/v3@v$etcd"
# `go mod init` writes the version of whoever runs this; what Kubernetes and etcd ask for is enough.
for go in "$(sed -n 's/^go //p' "$source")" 1.24.0 1.25.0 1.26.0 1.27.0; do
    go mod edit -go="$go"
    if go list -m all >/dev/null 2>&1; then break; fi
done
