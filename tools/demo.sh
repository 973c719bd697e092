#!/usr/bin/env bash
# Builds syncline and runs its demonstration without a prompt: three replicas on this machine that
# part, take writes on their own, and meet again. Arguments are passed on to `syncline demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

bash tools/install_dependencies.sh build
cmake --preset release -DSYNCLINE_TESTS=OFF -B build/demo
cmake --build build/demo --target syncline
exec build/demo/syncline demo --script "$@"
