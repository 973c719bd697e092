"""Transactions, threads, watches, lives and ends of a database."""

import gc
import os
import subprocess
import sys
import threading

import pytest

import syncline


def test_what_is_acknowledged_is_there_again(tmp_path):
    with syncline.open(tmp_path / "d") as db:
        db.counter("n").add(5)
    with syncline.open(tmp_path / "d") as db:
        assert int(db.counter("n")) == 5


def test_what_is_acknowledged_survives_a_kill(tmp_path):
    program = ("import sys, syncline\n"
               "db = syncline.open(sys.argv[1])\n"
               "while True: print(db.counter('n').add(1), flush=True)\n")
    path = os.path.dirname(os.path.dirname(syncline.__file__))
    with subprocess.Popen([sys.executable, "-c", program, tmp_path / "d"], text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}) as child:
        lines = [int(child.stdout.readline()) for _ in range(50)]
        child.kill()
        lines += [int(line) for line in child.stdout.read().splitlines()]
    with syncline.open(tmp_path / "d") as db:
        assert lines[-1] <= int(db.counter("n")) <= lines[-1] + 1


def test_a_batch_is_one_transaction(db):
    before = db.stats()["transactions_local"]
    with db.batch() as batch:
        batch.counter("n").add(2)
        batch.set("s").add("x")
        batch.map("m")["f"] = "v"
        batch.set("s").discard("y")
        assert int(db.counter("n")) == 0
    assert db.stats()["transactions_local"] == before + 1
    assert int(db.counter("n")) == 2 and db.set("s") == {"x"} and db.map("m") == {"f": "v"}
    with db.batch():
        pass
    assert db.stats()["transactions_local"] == before + 1


def test_a_batch_that_raises_changes_nothing(db):
    with pytest.raises(ZeroDivisionError), db.batch() as batch:
        batch.counter("n").add(2)
        _ = 1 / 0
    assert int(db.counter("n")) == 0
    with pytest.raises(syncline.InvalidArgument), db.batch() as batch:
        batch.counter("n").add(1)
        _ = batch.counter("n").value
    assert int(db.counter("n")) == 0


def test_a_transaction_reads_its_writes(db):
    def move(transaction):
        transaction.counter("a").add(-1)
        transaction.counter("b").add(1)
        return transaction.counter("b").value

    assert db.transact(move) == 1 and db.transact(move) == 2

    def fail(transaction):
        transaction.counter("a").add(-1)
        raise LookupError("no")

    with pytest.raises(LookupError):
        db.transact(fail)
    assert int(db.counter("a")) == -2
    with pytest.raises(syncline.Unavailable):
        db.transact(lambda transaction: db.counter("a").value)
    kept = []
    db.transact(kept.append)
    with pytest.raises(syncline.Unavailable):
        kept[0].counter("a").add(1)


def test_threads_commit_together_and_go_on_meanwhile(db):
    flushes = db.stats()["flushes"]

    def work():
        for _ in range(50):
            db.counter("n").add(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert int(db.counter("n")) == 400
    # With the interpreter's lock held while a commit waits there would be one sync for each.
    assert db.stats()["flushes"] - flushes < 400


def test_watch(db):
    with db.watch("k") as watch:
        db.counter("k").add(1)
        change = watch.get(timeout=30)
        assert change.key == "k" and change.local and ":" in change.origin
        db.counter("other").add(1)
        with pytest.raises(TimeoutError):
            watch.get(timeout=0.01)
        db.counter("k").add(1)
        db.counter("k").add(1)
        watch.stop()
        assert len(list(watch)) == 2
    db.counter("k").add(1)


def test_a_watch_ends_with_an_iteration_that_waits(db):
    watch = db.watch("k")
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(watch))
    thread.start()
    db.counter("k").add(1)
    watch.stop()
    thread.join(timeout=30)
    assert not thread.is_alive() and len(seen) == 1


def test_close_ends_watches(tmp_path):
    db = syncline.open(tmp_path / "d")
    watch = db.watch("k")
    thread = threading.Thread(target=lambda: list(watch))
    thread.start()
    db.close()
    thread.join(timeout=30)
    assert not thread.is_alive() and watch.get() is None


FORK = """
import os, sys, syncline
db = syncline.open(sys.argv[1])
db.counter("n").add(1)
watch = db.watch("n")
child = os.fork()
if child == 0:
    try:
        db.counter("n").add(1)
    except syncline.Unavailable:
        del watch
        sys.exit(7)  # with all that happens at exit
    sys.exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert db.counter("n").add(1) == 2
"""


def test_a_forked_child_is_refused_and_ends(tmp_path):
    path = os.path.dirname(os.path.dirname(syncline.__file__))
    subprocess.run([sys.executable, "-c", FORK, tmp_path / "d"], check=True, timeout=60,
                   env={**os.environ, "PYTHONPATH": path})


def test_one_at_a_time(tmp_path):
    with syncline.open(tmp_path / "d"):
        with pytest.raises(syncline.Locked) as raised:
            syncline.open(tmp_path / "d")
        assert raised.value.code == "locked"


def test_a_closed_database_says_so(tmp_path):
    db = syncline.open(tmp_path / "d")
    counter = db.counter("n")
    db.close()
    db.close()
    with pytest.raises(syncline.Unavailable):
        counter.add(1)


def test_any_order_of_ends(tmp_path):
    db = syncline.open(tmp_path / "d")
    watch, handle = db.watch("k"), db.set("s")
    del db
    gc.collect()
    handle.add("x")
    del watch
    gc.collect()
    assert handle == {"x"}
    program = ("import sys, syncline\n"
               "db = syncline.open(sys.argv[1]); watch = db.watch('k'); db.counter('k').add(1)\n")
    path = os.path.dirname(os.path.dirname(syncline.__file__))
    subprocess.run([sys.executable, "-c", program, tmp_path / "e"], check=True, timeout=60,
                   env={**os.environ, "PYTHONPATH": path})


def test_messages_carried_by_hand(tmp_path):
    with syncline.open(tmp_path / "a", cluster="c") as one, \
            syncline.open(tmp_path / "b", cluster="c") as two:
        one.counter("n").add(1)
        two.counter("n").add(2)
        one.set("s").add("x")
        for _ in range(100):
            there, back = one.next_message("two"), two.next_message("one")
            if there is None and back is None:
                break
            if there is not None:
                two.receive("one", there)
            if back is not None:
                one.receive("two", back)
        assert int(one.counter("n")) == int(two.counter("n")) == 3 and two.set("s") == {"x"}
        assert one.stats()["root"] == two.stats()["root"]
        with pytest.raises(syncline.Error):
            one.receive("two", b"garbage")
        assert int(one.counter("n")) == 3


def test_a_backup_is_made_while_others_write(db, tmp_path):
    for number in range(300):
        db.string(f"key {number}").set("x" * 5000)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            db.counter("n").add(1)

    writer = threading.Thread(target=write)
    writer.start()
    told = []
    db.backup(tmp_path / "copy", progress=told.append)
    stop.set()
    writer.join()
    assert told[-1].rows >= 300 and told[-1].bytes > 300 * 5000
    assert all(one.rows <= other.rows for one, other in zip(told, told[1:]))
    binary = os.environ["SYNCLINE_BINARY"]
    subprocess.run([binary, "verify", tmp_path / "copy"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([binary, "restore", tmp_path / "copy", "--data", tmp_path / "restored"],
                   check=True, stdout=subprocess.DEVNULL)
    with syncline.open(tmp_path / "restored") as restored:
        assert restored.string("key 299").get() == "x" * 5000
        assert 0 < int(restored.counter("n")) <= int(db.counter("n"))


def test_a_backup_is_ended_by_who_is_told(db, tmp_path):
    db.counter("n").add(1)
    with pytest.raises(syncline.Unavailable, match="cancelled"):
        db.backup(tmp_path / "one", progress=lambda progress: False)
    with pytest.raises(ZeroDivisionError):
        db.backup(tmp_path / "two", progress=lambda progress: 1 / 0)
    with pytest.raises(syncline.InvalidArgument):
        db.backup(tmp_path)
    db.backup(tmp_path / "three", progress=lambda progress: None)
    assert db.counter("n").add(1) == 2


def test_nothing_can_be_backed_up_before_the_first_write(tmp_path):
    with syncline.open(tmp_path / "d") as db, pytest.raises(syncline.Unavailable):
        db.backup(tmp_path / "copy")


def test_a_full_map_refuses_what_adds_and_takes_removals(tmp_path):
    with syncline.open(tmp_path / "d", map_bytes=4 << 20, checkpoint_interval=0) as db:
        with pytest.raises(syncline.NoSpace) as raised:
            for number in range(1000):
                db.string(f"key {number}").set("x" * 20000)
        assert raised.value.code == "no_space" and isinstance(raised.value, OSError)
        assert db.string("key 0").get() == "x" * 20000
        assert db.string("key 0").remove()


def test_with_durability_interval_an_end_without_close_makes_another_actor(tmp_path):
    program = ("import os, sys, syncline\n"
               "db = syncline.open(sys.argv[1], durability='interval', sync_interval=0.01)\n"
               "db.counter('n').add(1); print(db.stats()['actor'], flush=True); os._exit(0)\n")
    path = os.path.dirname(os.path.dirname(syncline.__file__))
    told = subprocess.run([sys.executable, "-c", program, tmp_path / "d"], check=True, timeout=60,
                          stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": path}).stdout.strip()
    with syncline.open(tmp_path / "d", durability="interval") as db:
        assert int(db.counter("n")) == 1
        assert db.stats()["actor"] != told
    with pytest.raises(syncline.InvalidArgument, match="durability"):
        syncline.open(tmp_path / "d", durability="sometimes")


def test_a_snapshot_stays_as_it_was(db):
    db.counter("n").add(3)
    db.set("s").add("a")
    db.map("m")["f"] = "v"
    db.list("l").extend(["x", "y"])
    db.sorted_set("z")["ann"] = 1.5
    db.text("t").append("Text")
    with db.snapshot() as snapshot:
        version = db.stats()["version"]
        db.counter("n").add(1)
        for key in ("s", "m", "l", "z", "t"):
            del db[key]
        assert int(snapshot.counter("n")) == 3 and "a" in snapshot.set("s")
        assert snapshot.map("m") == {"f": "v"} and list(snapshot.list("l")) == ["x", "y"]
        assert snapshot.sorted_set("z")["ann"] == 1.5 and str(snapshot.text("t")) == "Text"
        assert sorted(snapshot) == ["l", "m", "n", "s", "t", "z"] and list(db) == ["n"]
        assert snapshot.version == version != db.stats()["version"]
        with pytest.raises(syncline.InvalidArgument):
            snapshot.counter("n").add(1)
        handle = snapshot.counter("n")
    with pytest.raises(syncline.Unavailable):
        handle.value
    with db.snapshot() as snapshot:
        assert int(snapshot.counter("n")) == 4


def test_a_snapshot_ends_by_time_by_size_and_with_the_database(tmp_path):
    with syncline.open(tmp_path / "a", snapshot_bytes_max=50000) as db:
        db.string("k").set("one")
        snapshot = db.snapshot()
        for _ in range(100):
            db.string("k").set("x" * 1000)
        with pytest.raises(syncline.Unavailable, match="50000 bytes"):
            snapshot.string("k").get()
        snapshot = db.snapshot()
    with pytest.raises(syncline.Unavailable, match="closed"):
        snapshot.string("k").get()
    with syncline.open(tmp_path / "b", snapshot_seconds_max=0) as db:
        db.string("k").set("one")
        snapshot = db.snapshot()
        with pytest.raises(syncline.Unavailable, match="held for more"):
            while True:
                snapshot.string("k").get()
    del db
    gc.collect()
    snapshot.release()
