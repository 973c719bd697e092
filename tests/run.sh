#!/usr/bin/env bash
# Builds Syncline and runs its tests, on a Debian 12 where nothing need be installed before.
#
# Usage: tests/run.sh [--fast | --all | --help]
#   (none)   release build and tests, most of them under ASan and UBSan, 12 s for each fuzz target
#   --fast   release build, and the tests of label fast
#   --all    also clang, TSan, the tests of label slow, 2,000 simulator seeds and 100 kills
# Environment: SYNCLINE_SIM_SEEDS, SYNCLINE_KILLS, SYNCLINE_FUZZ_SECONDS change the amounts.
# The last line is "N passed, N failed"; the exit code is 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit

mode=default
case "${1:-}" in
    "") ;;
    --fast | --all) mode=${1#--} ;;
    --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "unknown option $1; see tests/run.sh --help" >&2; exit 2 ;;
esac

processors=$(nproc)
passed=0
failed=0
failures=()
fuzz_folder=build/asan/fuzz
# Several sources at a time take half as long; one at a time shows what each forgets to include.
unity=ON
[ "$mode" = default ] || unity=OFF

minutes() { printf '%d.%d min' $(($1 / 60)) $(($1 % 60 / 6)); }

fail() { failed=$((failed + 1)); failures+=("$1"); }

# step TITLE COMMAND...: runs the command and says how long it took. Returns its exit code.
step() {
    local title=$1 start=$SECONDS code=0 outcome="done"
    shift
    printf '\n==> %s\n' "$title"
    "$@" || { code=$?; outcome="FAILED"; }
    printf '==> %s: %s after %s\n' "$title" "$outcome" "$(minutes $((SECONDS - start)))"
    return $code
}

# count WHERE: takes lines "passed NAME" and "failed NAME" and adds them up.
count() {
    local outcome name
    while read -r outcome name; do
        if [ "$outcome" = passed ]; then passed=$((passed + 1)); else fail "$1: $name"; fi
    done
}

# build_aside PRESET: begins to build with what processor time the tests leave over, which wait for
# clocks and disks as often as they compute. Says nothing: `build` goes on with it and reports.
aside=  # its process group, which ends with this script
trap '[ -z "$aside" ] || kill -- "-$aside"' EXIT
build_aside() {
    set -m
    {
        nice -n 19 cmake --preset "$1" "-DCMAKE_UNITY_BUILD=$unity" &&
            nice -n 19 cmake --build --preset "$1" -j "$processors"
    } >/dev/null 2>&1 &
    aside=$!
    set +m
}

# build PRESET: configures and builds; a failure counts as one failed test.
build() {
    [ -z "$aside" ] || step "$1: build begun aside" wait "$aside"
    aside=
    step "$1: configure" cmake --preset "$1" "-DCMAKE_UNITY_BUILD=$unity" &&
        step "$1: build" cmake --build --preset "$1" -j "$processors" && return
    fail "$1: build"
    return 1
}

# suite PRESET CTEST_OPTIONS...: runs the tests and adds their numbers to ours.
suite() {
    local preset=$1 results counted
    shift
    results=$PWD/build/$preset/results.xml
    rm -f "$results"
    step "$preset: tests" ctest --preset "$preset" -j "$processors" --output-junit "$results" "$@"
    if ! counted=$(/usr/bin/python3 -B tests/count_results.py "$results"); then
        fail "$preset: tests did not run"
        return
    fi
    count "$preset" <<<"$counted"
}

# fuzz_one TARGET SECONDS: libFuzzer from the seeds in the tree; what it finds stays in the folder.
fuzz_one() {
    local name=${1##*/fuzz_} corpora
    corpora=("$fuzz_folder/corpus/$name")
    [ -d "tests/fuzz/corpus/$name" ] && corpora+=("tests/fuzz/corpus/$name")
    mkdir -p "${corpora[0]}" "$fuzz_folder/found"
    if "$1" -max_total_time="$2" -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 \
        -artifact_prefix="$fuzz_folder/found/$name-" "${corpora[@]}" >"$fuzz_folder/$name.log" 2>&1
    then
        echo "passed $name"
    else
        tail -n 40 "$fuzz_folder/$name.log" >&2
        echo "failed $name"
    fi
}

# fuzz SECONDS: every target for so long, one at a time on each processor.
fuzz() {
    local target start=$SECONDS outcomes=$fuzz_folder/outcomes
    mkdir -p "$fuzz_folder"
    printf '\n==> fuzz: %s s for each target\n' "$1"
    : >"$outcomes"
    for target in build/asan/tests/fuzz_*; do
        [ -x "$target" ] || continue
        while [ "$(jobs -rp | wc -l)" -ge "$processors" ]; do wait -n; done
        fuzz_one "$target" "$1" >>"$outcomes" &
    done
    wait
    cat "$outcomes"
    count fuzz <"$outcomes"
    printf '==> fuzz: done after %s\n' "$(minutes $((SECONDS - start)))"
}

finish() {
    printf '\nTook %s.\n' "$(minutes $SECONDS)"
    [ ${#failures[@]} -eq 0 ] || printf 'Failed: %s\n' "${failures[@]}"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

groups=(build test)
[ "$mode" = fast ] || groups+=(fuzz)
step "packages" bash tools/install_dependencies.sh "${groups[@]}" || { fail packages; finish; }

if [ "$mode" = fast ]; then
    build release && suite release -L fast
    finish
fi

long=(-LE slow)
if [ "$mode" = all ]; then
    long=()
    export SYNCLINE_SIM_SEEDS=${SYNCLINE_SIM_SEEDS:-2000} SYNCLINE_KILLS=${SYNCLINE_KILLS:-100}
fi
if build release; then
    build_aside asan
    suite release "${long[@]}"
fi

# With sanitizers a seed is slow and the house rules are known: less of the one, none of the other.
# Demonstration, comparison, copies of many rows, replicas that come back and tokens that go round
# run what other tests run, too, and for long; that a seed has one outcome, and that old faults are
# gone, shows without sanitizers.
export SYNCLINE_SIM_SEEDS=20 SYNCLINE_KILLS=5 SYNCLINE_FLIPS=3
if build asan; then
    suite asan -LE 'slow|tidy|browser' \
        -E '^(interop_(demo|compare|copy)|drill_(returns|guarantees)|sim_(determinism|regress))$'
    fuzz "${SYNCLINE_FUZZ_SECONDS:-12}"
fi

if [ "$mode" = all ]; then
    build tsan && suite tsan -LE 'slow|tidy|browser'
    build clang && suite clang -LE 'slow|tidy|browser'
fi
finish
