#!/usr/bin/python3
"""The text type beside Yjs and Automerge: the same recorded traces on this machine, in one run.

Usage: text_compare.py [--rounds R] [--copies N] [--automerge-copies N] [--peers yjs,automerge]
Needs node and npm, which fetches the versions of tests/bench/text_peers/package-lock.json into a
temporary folder. Rounds alternate and medians are shown. Within a round the time of a program is
the fastest of five runs, of Automerge of one. build/release/tests/bench_text is ours, unless
SYNCLINE_BENCH_TEXT says otherwise.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PEERS = SOURCE / "tests/bench/text_peers"
TRACES = SOURCE / "tests/data/editing-traces"
MERGES = ["friendsforever", "clownschool"]
RUNS = {"yjs": 5, "automerge": 1}
INSTALL_SECONDS = 300
MEASURE_SECONDS = 3600
EVENTS = 650_000
MIB = 1024 * 1024

# What others have published of these traces, from other machines: the order of magnitude.
PUBLISHED_TYPING = """\
  published, one update for each keystroke (crdt-benchmarks, B4, on an i5-8400):
                    Yjs 13.6.11   Loro 0.10.1   Automerge 2.1.10
    time                  5.7 s         3.1 s             14.3 s
    document          159,929 B     258,228 B          129,116 B
    parse                 39 ms         13 ms           1,805 ms"""
PUBLISHED_MERGE = {
    "friendsforever": "Eg-walker 56 ms, its reference CRDT 52, Yrs 11.8, Yjs 84, "
                      "Automerge 11,848; memory 1.0 / - / 11.6 / 27.0 / 462 MB",
    "clownschool": "Eg-walker 83 ms, its reference CRDT 64, Yrs 8.7, Yjs 55, "
                   "Automerge 24,636; memory 1.0 / - / 7.9 / 19.8 / 511 MB",
}
# Our lines of bench_text, with the factor to the units here.
OURS_TYPING = {
    "typed": ("typed in memory", 1), "document": ("rows at rest with their names", 1000),
    "encode": ("all rows written", 1), "load": ("loaded from its rows", 1),
    "wire": ("operation on the wire, mean", 1), "memory": ("memory of the text", MIB),
}
OURS_MERGE = {
    "apply": ("decoded and applied", 1), "memory": ("memory of the text", MIB),
    "load": ("the same as a state: loaded from its rows", 1),
    "wire": ("operation on the wire, mean", 1),
}
TYPING_ROWS = [  # figure, label, divisor, target
    ("typed", "one operation a keystroke, ms", 1, 1000),
    ("document", "document at rest, KB", 1000, 260),
    ("encode", "encoded, ms", 1, None),
    ("load", "loaded, ms", 1, 50),
    ("wire", "a keystroke on the wire, mean bytes", 1, 40),
    ("memory", "memory, MiB", MIB, None),
]
MERGE_ROWS = [
    ("apply", "operations decoded and applied, ms", 1, None),
    ("scaled", "the same for 650,000 events, ms", 1, 100),
    ("load", "the whole state loaded, ms", 1, None),
    ("wire", "an operation on the wire, mean bytes", 1, None),
    ("memory", "memory, MiB", MIB, 40),
]


def figures(section, wanted):
    """Numbers of a part of bench_text's output."""
    found = {}
    for figure, (label, factor) in wanted.items():
        match = re.search(rf"^  {re.escape(label)} +([0-9.]+) ", section, re.MULTILINE)
        if match is None:
            raise SystemExit(f"bench_text does not print '{label}'")
        found[figure] = float(match.group(1)) * factor
    return found


def measure_ours():
    """{"typing": figures, trace: figures}"""
    binary = os.environ.get("SYNCLINE_BENCH_TEXT", str(SOURCE / "build/release/tests/bench_text"))
    run = subprocess.run([binary], capture_output=True, text=True, timeout=MEASURE_SECONDS,
                         env=os.environ | {"SYNCLINE_SOURCE": str(SOURCE)}, check=False)
    if run.returncode not in (0, 1) or "WRONG" in run.stdout:  # 1: a target is missed
        raise SystemExit(f"{binary} failed: {run.stdout[-300:]}{run.stderr}")
    parts = re.split(r"\n(?=\S)", run.stdout)
    sections = {part.split(":")[0].split(" x ")[0]: part for part in parts if ":" in part}
    result = {"typing": figures(sections["automerge-paper"], OURS_TYPING)}
    for trace in MERGES:
        result[trace] = figures(sections[trace], OURS_MERGE)
        events = re.search(r"takes (\d+) events", sections[trace])
        result[trace]["events"] = int(events.group(1))
    return result


def peer(folder, *arguments):
    out = subprocess.run(
        ["node", "--expose-gc", "--max-old-space-size=8192", "peers.mjs", *map(str, arguments)],
        cwd=folder, stdout=subprocess.PIPE, text=True, check=True, timeout=MEASURE_SECONDS).stdout
    return json.loads(out)


def measure_peer(folder, name):
    runs = RUNS[name]
    paper = TRACES / "sequential/automerge-paper.json.gz"
    result = {"typing": peer(folder, "type", name, paper, runs)}
    for trace in MERGES:
        result[trace] = peer(folder, "merge", name, folder / f"{name}-{trace}.bin", runs)
    return result


def median(rounds, part, figure):
    return statistics.median(measured[part][figure] for measured in rounds)


def table(title, part, rows, measured):
    print(title)
    print(f"    {'':38}" + "".join(f"{name:>12}" for name in measured) + "      target")
    for figure, label, divisor, target in rows:
        line = f"    {label:38}"
        for rounds in measured.values():
            if figure == "scaled":
                value = median(rounds, part, "apply") * EVENTS / rounds[0][part]["events"]
            else:
                value = median(rounds, part, figure) / divisor
            line += f"{value:12,.1f}"
            if target is not None and rounds is measured["syncline"]:
                verdict = "met" if value <= target else "MISSED"
        print(line + (f"{target:12,}  {verdict}" if target is not None else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copies", type=int, default=25, help="of the merged texts, for Yjs")
    parser.add_argument("--automerge-copies", type=int, default=5,
                        help="for Automerge, which takes long to record them")
    parser.add_argument("--peers", default="yjs,automerge")
    options = parser.parse_args()
    names = options.peers.split(",")
    if not set(names) <= set(RUNS) or options.rounds < 1:
        parser.error("peers are yjs and automerge; at least one round")
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing: install Debian's packages nodejs and npm")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for file in ("package.json", "package-lock.json", "peers.mjs"):
            shutil.copy(PEERS / file, folder)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                       stdout=subprocess.DEVNULL, check=True, timeout=INSTALL_SECONDS)
        for library in names:
            copies = options.copies if library == "yjs" else options.automerge_copies
            for trace in MERGES:
                print(f"recording {trace} x {copies} with {library}", file=sys.stderr)
                peer(folder, "record", library, TRACES / f"concurrent/{trace}.json.gz", copies,
                     folder / f"{library}-{trace}.bin")
        measured = {name: [] for name in ["syncline", *names]}
        for number in range(options.rounds):
            print(f"round {number + 1}", file=sys.stderr)
            measured["syncline"].append(measure_ours())
            for library in names:
                measured[library].append(measure_peer(folder, library))
    table("automerge-paper, 259,778 keystrokes", "typing", TYPING_ROWS, measured)
    print(PUBLISHED_TYPING)
    for trace in MERGES:
        events = ", ".join(f"{name} {rounds[0][trace]['events']:,}"
                           for name, rounds in measured.items())
        table(f"{trace}, copies one behind the other, taken by a new replica; events: {events}",
              trace, MERGE_ROWS, measured)
        print(f"  published, 25 copies (repository of the Eg-walker paper):\n"
              f"    {PUBLISHED_MERGE[trace]}")


if __name__ == "__main__":
    main()
