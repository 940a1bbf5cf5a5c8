#!/bin/sh
# Brings data sets of the examples into ./data, from packages of Debian or Ubuntu, without root:
#   sh examples/data/get_data.sh dataset-fashion-mnist r-cran-mlbench r-cran-kernlab
set -eu
[ $# -gt 0 ] || { echo "get_data.sh: name at least one package" >&2; exit 1; }
mkdir -p data
cd data
for package in "$@"; do
  apt-get download "$package"
  dpkg -x "$package"_*.deb .
  rm "$package"_*.deb
done
