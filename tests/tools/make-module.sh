#!/bin/sh
# Writes the Go module that pins a tool of the tests: make-module.sh helm helm.sh/helm/v4/cmd/helm@v4.3.2
set -eu
name=${1:?name of the folder, such as helm}
shift
: "${1:?package@version, such as helm.sh/helm/v4/cmd/helm@v4.3.2}"
mkdir -p "$(dirname "$0")/$name"
cd "$(dirname "$0")/$name"
rm -f go.mod go.sum
go mod init "clickup-operator.dev/tools/$name"
go get -tool "$@"
# `go mod init` writes the version of whoever runs this; the oldest that the sources accept is enough.
patch=0
go mod edit -go=1.26.0
while ! go list -m all >/dev/null 2>&1; do
    patch=$((patch + 1))
    go mod edit -go="1.26.$patch"
done
