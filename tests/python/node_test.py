"""Databases that keep each other in step, and values merged by hand."""

import gc
import os
import threading

import pytest
import syncline

SECRET = "0123456789abcdef"
SECONDS = 60


@pytest.fixture
def pair(tmp_path):
    """Two databases and their nodes, in step."""
    with syncline.open(tmp_path / "a", replica="a", cluster="test") as a, \
            syncline.open(tmp_path / "b", replica="b") as b, \
            syncline.Node(a, listen="127.0.0.1:0", secret=SECRET) as here, \
            syncline.Node(b, peers=[f"127.0.0.1:{here.port}"], secret=SECRET) as there:
        there.wait_synced(SECONDS)
        yield a, b, here, there


def test_what_one_writes_the_other_has(pair):
    a, b, here, there = pair
    a.counter("visits").add(2)
    b.counter("visits").add(3)
    here.wait_synced(SECONDS)
    there.wait_synced(SECONDS)
    assert int(a.counter("visits")) == int(b.counter("visits")) == 5
    assert a.stats()["root"] == b.stats()["root"]
    (peer,) = there.peers
    assert peer.connected and peer.name == "a" and peer.version == a.stats()["version"]


def test_a_wait_has_an_end(tmp_path):
    with syncline.open(tmp_path / "a") as a, \
            syncline.Node(a, peers=["127.0.0.1:1"], secret=SECRET) as node:
        with pytest.raises(syncline.Timeout, match="not in step after 100 ms"):
            node.wait_synced(0.1)
        with pytest.raises(TimeoutError):
            node.wait_synced(0)


def test_a_wait_lets_others_run_and_ends_with_the_node(tmp_path):
    """The waiting thread never holds the interpreter's lock: else nobody could end its wait."""
    with syncline.open(tmp_path / "a") as a:
        node = syncline.Node(a, peers=["127.0.0.1:1"], secret=SECRET)
        ended = []

        def wait():
            try:
                node.wait_synced(SECONDS * 10)
            except syncline.Unavailable as error:
                ended.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        for index in range(50):
            a.counter("n").add(1)
            assert int(a.counter("n")) == index + 1
        node.stop()
        node.stop()
        thread.join(SECONDS)
        assert not thread.is_alive() and len(ended) == 1


def test_the_database_ends_its_node(tmp_path):
    a = syncline.open(tmp_path / "a")
    node = syncline.Node(a, listen="127.0.0.1:0", secret=SECRET)
    with pytest.raises(syncline.Unavailable):
        syncline.Node(a, secret=SECRET)  # it has one
    a.close()
    with pytest.raises(syncline.Unavailable):
        node.wait_synced(1)
    with pytest.raises(syncline.Unavailable):
        syncline.Node(a, secret=SECRET)
    del a, node
    gc.collect()


def test_what_it_is_told_is_checked(db, tmp_path):
    with pytest.raises(syncline.InvalidArgument):
        syncline.Node(db, secret="short")
    with pytest.raises(syncline.InvalidArgument):
        syncline.Node(db, peers=["no port"], secret=SECRET)
    with pytest.raises(TypeError):
        syncline.Node(db, peers="127.0.0.1:7400", secret=SECRET)
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    os.chmod(secret, 0o644)
    with pytest.raises(syncline.Unauthorized):
        syncline.Node(db, secret_file=secret)
    with syncline.Node(db, listen="127.0.0.1:0", secret=SECRET) as one:
        assert one.port > 0
    assert "stopped" in repr(one)


def test_siblings_are_replaced_by_what_the_caller_made_of_them(tmp_path):
    with syncline.open(tmp_path / "a", cluster="test") as a, \
            syncline.open(tmp_path / "b", cluster="test") as b:
        carry(a, b)
        a.string("name").set("Ann")
        b.string("name").set("Anna")
        carry(a, b)
        siblings = a.string("name").siblings
        assert sorted(one.value for one in siblings) == ["Ann", "Anna"]
        b.string("name").set("Annie")
        carry(a, b)
        with pytest.raises(syncline.Conflict):
            a.string("name").put("Ann or Anna", siblings.context)
        a.string("name").put("Ann or Annie", a.string("name").siblings.context)
        assert [one.value for one in a.string("name").siblings] == ["Ann or Annie"]
        a.map("user")["name"] = "x"
        with a.batch() as batch:
            batch.map("user").put("name", "y", a.map("user").siblings("name").context)
        assert a.map("user")["name"] == "y"


def carry(a, b):
    """Messages both ways until nobody has one."""
    while True:
        messages = [(b, "a", a.next_message("b")), (a, "b", b.next_message("a"))]
        if all(message is None for _, _, message in messages):
            return
        for to, sender, message in messages:
            if message is not None:
                to.receive(sender, message)
