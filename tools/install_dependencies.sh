#!/usr/bin/env bash
# Installs the Debian packages that Syncline needs, unless they are all there.
# Usage: tools/install_dependencies.sh [build] [test] [fuzz] [browser] [package]  (default: build)
set -euo pipefail

build=(g++ cmake ninja-build pkg-config libuv1-dev liblmdb-dev libxxhash-dev libzstd-dev
    libmsgpack-cxx-dev libfmt-dev libspdlog-dev libssl-dev zlib1g-dev libcli11-dev
    libtomlplusplus-dev nlohmann-json3-dev libhttp-parser-dev prometheus-cpp-dev
    libjs-chart.js libedit-dev libjemalloc-dev python3-dev pybind11-dev)
test=(libboost-test-dev libhiredis-dev prometheus-redis-exporter redis-server redis-tools
    python3 python3-redis python3-pytest python3-mypy python3-pybind11 python3-build python3-wheel
    python3-setuptools python3-pip python3-yaml openssl tcl e2fsprogs mount iproute2)
fuzz=(clang-14 libclang-rt-14-dev lld-14 llvm-14)
browser=(chromium nodejs npm)
package=(scdoc dpkg-dev lintian)

wanted=()
for group in "${@:-build}"; do
    case "$group" in
        build) wanted+=("${build[@]}") ;;
        test) wanted+=("${test[@]}") ;;
        fuzz) wanted+=("${fuzz[@]}") ;;
        browser) wanted+=("${browser[@]}") ;;
        package) wanted+=("${package[@]}") ;;
        *) sed -n '2,3s/^# //p' "$0" >&2; exit 2 ;;
    esac
done

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
    echo "All ${#wanted[@]} packages are installed."
    exit 0
fi

root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "As root: apt-get install ${missing[*]}" >&2; exit 1; }
    root=(sudo)
fi

# The tests start redis-server themselves: while packages are set up, no service may start.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '"${root[@]}" rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
    "${root[@]}" chmod 755 "$policy"
fi

apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y
    -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
echo "Installing: ${missing[*]}"
"${apt[@]}" update
"${apt[@]}" install --no-install-recommends "${missing[@]}"
