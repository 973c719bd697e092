"""`syncline compare` shows what it is for: who can write in a partition, what dies with a primary.
And its output: a table, JSON, a page that needs no network."""

import json
import os
import re
import subprocess
import tempfile

SYNCLINE = os.environ["SYNCLINE_BINARY"]


def compare(*arguments, code=0):
    done = subprocess.run([SYNCLINE, "compare", *arguments], capture_output=True, timeout=300,
                          check=False, text=True)
    assert done.returncode == code, done
    return done


def figures(scratch):
    """The runs of a short comparison, by mode and fault."""
    paths = [os.path.join(scratch, name) for name in ("compare.json", "compare.html")]
    done = compare("--ms", "2400", "--workload", "counter", "--fault", "partition,leader-kill",
                   "--json", paths[0], "--html", paths[1])
    assert "6 / 6" in done.stderr and "converge" in done.stdout, done
    with open(paths[0], encoding="utf-8") as file:
        data = json.load(file)
    with open(paths[1], encoding="utf-8") as file:
        page = file.read()
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert json.loads(inside.group(1)) == data
    assert not re.search(r'(src|href)="(http|//)', page)
    return {(run["mode"], run["fault"]): run for run in data["runs"]}


def main():
    with tempfile.TemporaryDirectory() as scratch:
        runs = figures(scratch)
    assert len(runs) == 6
    for name, run in runs.items():
        assert run["equal"] and run["acknowledged_writes"] > 0, (name, run)
        assert run["missing_at_end"] == 0 and run["counted_twice"] == 0, (name, run)
        assert run["wire_bytes"] > 0 and run["writes"]["p99_ms"] > 0, (name, run)

    # c and its clients are cut off: there, only a multi-master takes writes.
    multi, backup, strict = "multi-master", "primary-backup async", "primary-backup all"
    assert runs[multi, "partition"]["write_availability_isolated"] > 0
    assert runs[multi, "partition"]["write_availability_others"] > 0
    assert runs[backup, "partition"]["write_availability_isolated"] == 0
    assert runs[backup, "partition"]["write_availability_others"] > 0
    assert runs[strict, "partition"]["write_availability_isolated"] == 0

    # A primary that answers before its backups have a write takes it along when it dies.
    assert runs[backup, "leader kill"]["missing_without_a"] > 0
    assert runs[strict, "leader kill"]["missing_without_a"] == 0

    compare("--mode", "nosuch", code=2)
    compare("--ms", "1", code=2)
    compare("--mode", "multi-master", "--fault", "none", "--workload", "counter", "--ms", "1500",
            "--html", "/nosuch/compare.html", code=1)


if __name__ == "__main__":
    main()
