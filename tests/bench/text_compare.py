#!/usr/bin/python3
"""The text type beside Yjs and Automerge: the same recorded traces on this machine, in one run.

Usage: text_compare.py [--rounds R] [--copies N] [--automerge-copies N] [--automerge-rounds R]
                       [--peers yjs,automerge] [--step-seconds S]
Needs node and npm, which fetches the versions of tests/bench/text_peers/package-lock.json into a
temporary folder. Rounds alternate and medians are shown, with ratios to ours. Within a round the
time of ours is the fastest of five runs, of Yjs of three, of Automerge of one. Recording the peers'
events and Automerge's typing take minutes: the peers get fewer copies, Automerge fewer rounds, and
the table says so.
Programs: build/release/tests/bench_text and bench_text_database, or those in the folder that
SYNCLINE_BENCHES names. About six minutes on two cores.
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
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PEERS = SOURCE / "tests/bench/text_peers"
TRACES = SOURCE / "tests/data/editing-traces"
PAPER = TRACES / "sequential/automerge-paper.json.gz"
MERGES = ["friendsforever", "clownschool"]
RUNS = {"yjs": 3, "automerge": 1}
INSTALL_SECONDS = 300
OURS_SECONDS = 300
EVENTS = 650_000
KB = 1000
MIB = 1024 * 1024

# Published about these traces, from other machines: the order of magnitude. Typing:
# crdt-benchmarks, B4, one update for each keystroke, i5-8400. Merging 25 copies: repository of the
# Eg-walker paper.
PUBLISHED = {
    "typing": {
        "typed": "Yjs 5,700, Loro 3,100, Automerge 14,300",
        "document": "Yjs 159.9, Loro 258.2, Automerge 129.1",
        "encode": "Yjs 11, Loro 77, Automerge 185",
        "load": "Yjs 39, Loro 13, Automerge 1,805",
    },
    "friendsforever": {
        "apply": "Eg-walker 56, its CRDT 52, Yrs 11.8, Yjs 84, Automerge 11,848",
        "memory": "Eg-walker 1.0, Yrs 11.6, Yjs 27.0, Automerge 462 MB",
    },
    "clownschool": {
        "apply": "Eg-walker 83, its CRDT 64, Yrs 8.7, Yjs 55, Automerge 24,636",
        "memory": "Eg-walker 1.0, Yrs 7.9, Yjs 19.8, Automerge 511 MB",
    },
}
# Lines of our benchmarks, with the factor to the units here.
OURS_TYPING = {
    "typed": ("typed in memory", 1), "document": ("rows at rest with their names", KB),
    "encode": ("all rows written", 1), "load": ("loaded from its rows", 1),
    "wire": ("operation on the wire, mean", 1), "memory": ("memory of the text", MIB),
}
OURS_DATABASE = {
    "commits": ("typed through commits", 1000), "event": ("log, for each keystroke", 1),
    "rows": ("rows at rest with their names, in LMDB", KB), "file": ("LMDB file", KB),
    "open": ("read for the first time after opening", 1),
}
OURS_MERGE = {
    "apply": ("decoded and applied", 1), "peak": ("memory at its peak, resident", MIB),
    "memory": ("memory of the text", MIB), "wire": ("operation on the wire, mean", 1),
    "load": ("the same as a state: loaded from its rows", 1),
}
TYPING_ROWS = [  # figure, label, divisor, target
    ("typed", "typed in memory, ms", 1, 1000),
    ("commits", "through commits of 1,000 keystrokes, ms", 1, 5000),
    ("load", "loaded in memory, ms", 1, 50),
    ("open", "first read after opening the file, ms", 1, 50),
    ("encode", "encoded, ms", 1, None),
    ("document", "at rest, encoded with ids, KB", KB, 260),
    ("rows", "at rest as rows of LMDB, KB", KB, None),
    ("file", "at rest, LMDB file, KB", KB, None),
    ("wire", "a keystroke's operation or update, bytes", 1, 40),
    ("event", "log, commits of 1,000, bytes", 1, 40),
    ("memory", "memory of the document, MiB", MIB, None),
]
MERGE_ROWS = [
    ("apply", "decoded and applied, ms", 1, None),
    ("scaled", "the same for 650,000 events, ms", 1, 100),
    ("peak", "resident memory, growth at its peak, MiB", MIB, 40),
    ("memory", "memory of the document, MiB", MIB, 40),
    ("load", "the whole state loaded, ms", 1, None),
    ("wire", "an event's operations or update, bytes", 1, 40),
]


def progress(what):
    print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)


def figures(section, wanted):
    """Numbers of a part of a benchmark's output."""
    found = {}
    for figure, (label, factor) in wanted.items():
        match = re.search(rf"^  {re.escape(label)} +([0-9.]+) ", section, re.MULTILINE)
        if match is None:
            raise SystemExit(f"the benchmark does not print '{label}'")
        found[figure] = float(match.group(1)) * factor
    return found


def run_ours(name, *arguments):
    folder = os.environ.get("SYNCLINE_BENCHES", str(SOURCE / "build/release/tests"))
    run = subprocess.run([f"{folder}/{name}", *map(str, arguments)], capture_output=True, text=True,
                         timeout=OURS_SECONDS, env=os.environ | {"SYNCLINE_SOURCE": str(SOURCE)},
                         check=False)
    if run.returncode not in (0, 1) or "WRONG" in run.stdout:  # 1: a target is missed
        raise SystemExit(f"{name} failed: {run.stdout[-300:]}{run.stderr}")
    return run.stdout


def measure_ours(folder):
    """{"typing": figures, trace: figures}"""
    parts = re.split(r"\n(?=\S)", run_ours("bench_text"))
    sections = {part.split(":")[0].split(" x ")[0]: part for part in parts if ":" in part}
    database = run_ours("bench_text_database", folder, "paper")
    result = {"typing": figures(sections["automerge-paper"], OURS_TYPING)
                        | figures(database, OURS_DATABASE)}
    for trace in MERGES:
        result[trace] = figures(sections[trace], OURS_MERGE)
        events = re.search(r"takes (\d+) events", sections[trace])
        result[trace]["events"] = int(events.group(1))
    return result


class Peer:
    """A library of others. A step that takes too long is not tried again, and noted."""

    def __init__(self, name, folder, options):
        self.name = name
        self.folder = folder
        self.seconds = options.step_seconds
        self.copies = options.copies if name == "yjs" else options.automerge_copies
        self.rounds = options.rounds if name == "yjs" else options.automerge_rounds
        self.notes = {}  # by part: why there is nothing

    def step(self, part, what, *arguments):
        """What the program answers; nothing if it took too long, now or before."""
        if part in self.notes:
            return {}
        progress(f"{self.name}: {what}")
        command = ["node", "--expose-gc", "--max-old-space-size=8192", "peers.mjs"]
        try:
            out = subprocess.run([*command, *map(str, arguments)], cwd=self.folder, text=True,
                                 stdout=subprocess.PIPE, check=True, timeout=self.seconds).stdout
        except subprocess.TimeoutExpired:
            self.notes[part] = f"{self.name} did not end within {self.seconds} s: {what}"
            progress(self.notes[part])
            return {}
        return json.loads(out)

    def events(self, trace):
        return self.folder / f"{self.name}-{trace}.bin"

    def record(self):
        for trace in MERGES:
            self.step(trace, f"recording {trace} x {self.copies}", "record", self.name,
                      TRACES / f"concurrent/{trace}.json.gz", self.copies, self.events(trace))

    def measure(self):
        runs = RUNS[self.name]
        result = {"typing": self.step("typing", "typing automerge-paper", "type", self.name, PAPER,
                                      runs)}
        for trace in MERGES:
            result[trace] = self.step(trace, f"merging {trace} x {self.copies}", "merge", self.name,
                                      self.events(trace), runs)
        return result


def median(rounds, part, figure):
    """Nothing if it was not measured."""
    if figure == "scaled":
        value = median(rounds, part, "apply")
        return None if value is None else value * EVENTS / rounds[0][part]["events"]
    values = [measured[part][figure] for measured in rounds if figure in measured[part]]
    return statistics.median(values) if values else None


def cell(value, divisor, own):
    if value is None:
        return f"{'-':>20}"
    ratio = "" if own is None else f" ({value / own:,.1f}x)"
    return f"{f'{value / divisor:,.1f}{ratio}':>20}"


def table(title, part, rows, measured):
    print(f"\n{title}")
    print(f"  {'':42}{'target':>8}{'syncline':>12} {'':6}"
          + "".join(f"{name:>20}" for name in measured if name != "syncline") + "   published")
    for figure, label, divisor, target in rows:
        own = median(measured["syncline"], part, figure)
        verdict = "" if target is None else "met" if own / divisor <= target else "MISSED"
        # What depends on the number of copies has no ratio: the peers have fewer.
        whole = part == "typing" or figure in ("scaled", "wire")
        others = "".join(cell(median(rounds, part, figure), divisor, own if whole else None)
                         for name, rounds in measured.items() if name != "syncline")
        wanted = "" if target is None else f"{target:,}"
        published = PUBLISHED[part].get(figure, "")
        print(f"  {label:42}{wanted:>8}{own / divisor:12,.1f} {verdict:6}{others}   {published}"
              .rstrip())


def report(measured, peers):
    print("Medians; in brackets: divided by ours. Published: on other machines; typing by "
          "crdt-benchmarks\nB4 (i5-8400), merging by the repository of the Eg-walker paper, 25 "
          "copies.")
    for name, rounds in measured.items():
        print(f"  {name}: {len(rounds)} rounds")
    table("automerge-paper: 259,778 keystrokes, one operation each", "typing", TYPING_ROWS,
          measured)
    for trace in MERGES:
        table(f"{trace}: copies one behind the other, taken by a new replica", trace, MERGE_ROWS,
              measured)
        for name, rounds in measured.items():
            if "events" in rounds[0][trace]:
                events = rounds[0][trace]["events"]
                print(f"  {name}: measured with {events:,} events ({EVENTS / events:.1f} times "
                      "their time is the line for 650,000)")
    for peer in peers:
        for note in peer.notes.values():
            print(f"  {note}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of ours and of Yjs")
    parser.add_argument("--automerge-rounds", type=int, default=1)
    parser.add_argument("--copies", type=int, default=5,
                        help="of the merged texts, for Yjs; ours are always 25, which Yjs takes "
                             "minutes to record")
    parser.add_argument("--automerge-copies", type=int, default=1,
                        help="for Automerge, which takes a minute to record two")
    parser.add_argument("--peers", default="yjs,automerge", help="which ones; empty: only ours")
    parser.add_argument("--step-seconds", type=int, default=180,
                        help="a step of a peer that takes longer is given up; the table says so")
    options = parser.parse_args()
    options.peers = [name for name in options.peers.split(",") if name]
    counts = (options.rounds, options.automerge_rounds, options.copies, options.automerge_copies,
              options.step_seconds)
    if not set(options.peers) <= set(RUNS) or min(counts) < 1:
        parser.error("peers are yjs and automerge; numbers are at least 1")
    return options


def install(folder):
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing: install Debian's packages nodejs and npm")
    for file in ("package.json", "package-lock.json", "peers.mjs"):
        shutil.copy(PEERS / file, folder)
    progress("npm fetches the peers")
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                   stdout=subprocess.DEVNULL, check=True, timeout=INSTALL_SECONDS)


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.peers:
            install(folder)
        peers = [Peer(library, folder, options) for library in options.peers]
        for peer in peers:
            peer.record()
        measured = {name: [] for name in ["syncline", *options.peers]}
        for number in range(max(options.rounds, options.automerge_rounds)):
            if number < options.rounds:
                progress(f"round {number + 1}: ours")
                measured["syncline"].append(measure_ours(folder))
            for peer in peers:
                if number < peer.rounds:
                    measured[peer.name].append(peer.measure())
    report(measured, peers)


if __name__ == "__main__":
    main()
