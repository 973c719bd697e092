"""Handles behave as the builtins they look like."""

import doctest
import random
import time

import pytest

import syncline


def test_the_example_of_the_package_runs():
    assert doctest.testmod(syncline).failed == 0
    assert doctest.testmod(syncline).attempted > 0


def test_counter(db):
    visits = db.counter("visits")
    assert visits.value == 0 and visits.add(3) == 3 and visits.add() == 4
    assert int(visits) == 4 and [10, 11, 12, 13, 14][visits] == 14
    visits.value = -(2**63)
    with pytest.raises(OverflowError) as raised:
        visits.add(-1)
    assert raised.value.code == "overflow" and isinstance(raised.value, syncline.Error)
    with pytest.raises(TypeError):
        visits.add("1")


def test_bounded_counter(db):
    stock = db.bounded_counter("stock")
    assert stock.value == 0 and stock.increment(10) == 10 and stock.decrement() == 9
    assert int(stock) == 9 and db.type("stock") == "bounded-counter"
    own = stock.rights[0]
    assert own == syncline.Rights(own.actor, 9, 10, 0, 0, 1) and len(stock.rights) == 1
    with pytest.raises(syncline.NoRights) as raised:
        stock.decrement(10)
    assert raised.value.code == "no_rights" and "has 9, 10 are needed" in str(raised.value)
    for amount in (0, -1):
        with pytest.raises(ValueError):
            stock.increment(amount)
    with pytest.raises(OverflowError):
        stock.increment(2**63 - 1)
    for actor in ("nobody", own.actor):
        with pytest.raises(ValueError):
            stock.transfer(1, actor)
    stock.transfer(4, "abc.0")
    assert [(one.actor, one.rights) for one in stock.rights] == [(own.actor, 5), ("abc.0", 4)]
    with pytest.raises(syncline.Permanent):
        del db["stock"]
    with pytest.raises(TypeError):
        db.string("stock").set("x")
    with pytest.raises(TypeError):
        db.expire("stock", 1)
    with pytest.raises(TypeError):
        db.counter("stock").add(1)
    with db.batch() as batch:
        batch.bounded_counter("stock").decrement(2)
    assert db.transact(lambda t: t.bounded_counter("stock").decrement(3)) == 4
    with pytest.raises(syncline.NoRights):
        with db.batch() as batch:
            batch.bounded_counter("stock").decrement(1)
    assert repr(stock) == "<syncline.BoundedCounter 'stock': 4>"


def test_flag(db):
    flag = db.flag("beta")
    assert not flag and not flag.disable() and "beta" not in db
    assert flag.enable() and not flag.enable() and flag and flag.enabled
    assert db.type("beta") == "flag" and repr(flag) == "<syncline.Flag 'beta': enabled>"
    with db.batch() as batch:
        batch.flag("beta").disable()
        batch.flag("gamma").enable()
    assert not flag and db.flag("gamma")
    with pytest.raises(TypeError):
        db.set("gamma").add("x")


def test_removals_win_where_the_policy_says_so(tmp_path):
    with pytest.raises(ValueError):
        syncline.open(tmp_path / "x", policies={"a": "nonsense"})
    policies = {"blocked:": "remove-wins"}
    with syncline.open(tmp_path / "y", policies=policies) as db:
        blocked = db.set("blocked:users")
        blocked.add("ann")
        blocked.discard("ann")
        assert "ann" not in blocked and len(blocked) == 0


def test_string(db):
    name = db.string("name")
    assert name.get() is None and name.get("nobody") == "nobody"
    name.set("Ann")
    assert name.get() == "Ann" and len(name.siblings) == 1
    assert name.siblings[0].value == "Ann" and name.siblings[0].time > 1.6e9
    assert name.remove() and not name.remove()
    db.string("n").set("no number")
    with pytest.raises(ValueError):
        db.counter("n").add(1)


def test_sorted_set(db):
    board = db.sorted_set("board")
    board["ann"] = 3.5
    board.update({"bob": 1, "eve": float("inf")})
    assert board.increment("bob", 0.1) == 1.1 and board.increment("new") == 1
    assert list(board) == ["new", "bob", "ann", "eve"] and len(board) == 4
    assert board == {"ann": 3.5, "bob": 1.1, "eve": float("inf"), "new": 1}
    assert board.range(1, 1) == [("bob", 1.1)] and board.largest(1) == [("eve", float("inf"))]
    assert board.between(1.1, 3.5) == [("bob", 1.1), ("ann", 3.5)] and "ann" in board
    with pytest.raises(ValueError):
        board["ann"] = float("nan")
    with pytest.raises(ValueError):
        board.increment("eve", -float("inf"))
    del board["ann"]
    with pytest.raises(KeyError):
        del board["ann"]
    with pytest.raises(KeyError):
        board["ann"]
    with db.batch() as batch:
        batch.sorted_set("board").increment("bob", 1)
        batch.sorted_set("board")["late"] = -1
    assert board.range(0, 2) == [("late", -1), ("new", 1)] and board["bob"] == 2.1
    assert db.type("board") == "sorted-set"
    board.clear()
    assert "board" not in db


def test_keys_end(db):
    db.string("a").set("1")
    db.list("b").append("x")
    assert db.deadline("a") is None and not db.persist("a") and not db.expire("none", 5)
    assert db.expire("a", 100) and abs(db.deadline("a") - time.time() - 100) < 50
    assert db.expire_at("b", 33177117420) and db.deadline("b") == 33177117420
    assert db.persist("b") and db.deadline("b") is None
    assert db.expire("b", 0) and "b" not in db
    with db.batch() as batch:
        batch.expire("a", -1)
    assert "a" not in db and db.string("a").get() is None
    db.set("c").add("m")
    assert db.expire("c", 0.05)
    deadline = time.monotonic() + 20
    while "c" in db:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert len(db.set("c")) == 0 and list(db.set("c")) == []


@pytest.mark.parametrize("seed", range(3))
def test_list_is_a_mutable_sequence(db, seed):
    rng, ours, theirs = random.Random(seed), db.list("l"), []
    for step in range(200):
        action = rng.choice(["append", "insert", "set", "delete", "pop", "popleft", "extend"])
        index = rng.randrange(-len(theirs), len(theirs)) if theirs else 0
        if action == "append":
            ours.append(f"v{step}")
            theirs.append(f"v{step}")
        elif action == "extend":
            ours.extend(["x", f"y{step}"])
            theirs.extend(["x", f"y{step}"])
        elif action == "insert":
            ours.insert(index, f"i{step}")
            theirs.insert(index, f"i{step}")
        elif not theirs:
            with pytest.raises(IndexError):
                ours.pop()
            with pytest.raises(IndexError):
                ours[0] = "x"
            with pytest.raises(IndexError):
                del ours[-1]
        elif action == "set":
            ours[index] = theirs[index] = f"s{step}"
        elif action == "delete":
            del ours[index], theirs[index]
        elif action == "pop":
            assert ours.pop(index) == theirs.pop(index)
        else:
            assert ours.popleft() == theirs.pop(0)
        assert ours == theirs and len(ours) == len(theirs) and ours[1:4] == theirs[1:4]
    assert db.type("l") == "list" and (not theirs or ours.index(theirs[-1]) < len(theirs))
    with pytest.raises(IndexError):
        ours[len(theirs)]
    ours.clear()
    assert list(ours) == [] and "l" not in db


@pytest.mark.parametrize("seed", range(3))
def test_text_is_edited_like_a_string(db, seed):
    rng, ours, theirs = random.Random(seed), db.text("t"), ""
    assert len(ours) == 0 and str(ours) == "" and ours == "" and "t" not in db
    for step in range(200):
        index = rng.randrange(len(theirs) + 1)
        if rng.random() < 0.6:
            new = rng.choice(["a", "b\u00e4c", "\U0001f600", f"word {step} "])
            ours.insert(index, new)
            theirs = theirs[:index] + new + theirs[index:]
        else:
            end = min(index + rng.randrange(5), len(theirs))
            del ours[index:end]
            theirs = theirs[:index] + theirs[end:]
        assert ours == theirs and len(ours) == len(theirs)
        assert ours[index:index + 3] == theirs[index:index + 3] and ours[::-1] == theirs[::-1]
        if theirs:
            assert ours[-1] == theirs[-1] and ours.index_of(ours.mark(0)) == 0
    mark = ours.mark(5)
    ours.insert(0, ">>")
    assert ours.index_of(mark) == 7
    del ours[7]
    assert ours.index_of(mark) == 7 and db.type("t") == "text"
    with pytest.raises(IndexError):
        ours[len(ours)]
    with pytest.raises(syncline.InvalidArgument):
        ours.index_of("nonsense")
    with pytest.raises(IndexError):
        ours.insert(len(ours) + 1, "x")
    with db.batch() as batch:
        batch.text("t").append("\u00e9n")
        batch.text("t").append("d")
    assert str(ours).endswith("\u00e9nd")
    ours.clear()
    assert "t" not in db


@pytest.mark.parametrize("seed", range(3))
def test_set_is_a_mutable_set(db, seed):
    rng, ours, theirs = random.Random(seed), db.set("s"), set()
    for _ in range(150):
        member = rng.choice("abcdef")
        action = rng.choice(["add", "discard", "remove", "ior", "isub", "clear"])
        if action == "remove" and member not in theirs:
            with pytest.raises(KeyError):
                ours.remove(member)
        elif action in ("add", "discard", "remove"):
            getattr(ours, action)(member)
            getattr(theirs, action)(member)
        elif action == "ior":
            ours |= {member, "z"}
            theirs |= {member, "z"}
        elif action == "isub":
            ours -= {member}
            theirs -= {member}
        elif rng.random() < 0.1:
            ours.clear()
            theirs.clear()
        assert ours == theirs and len(ours) == len(theirs) and sorted(ours) == sorted(theirs)
        assert (member in ours) == (member in theirs)
    assert ours & {"a", "q"} == theirs & {"a", "q"} and isinstance(ours | {"q"}, set)
    assert 1 not in ours


@pytest.mark.parametrize("seed", range(3))
def test_map_is_a_mutable_mapping(db, seed):
    rng, ours, theirs = random.Random(seed), db.map("m"), {}
    for step in range(150):
        field = rng.choice("abcdef")
        action = rng.choice(["set", "del", "pop", "update", "setdefault"])
        if action == "set":
            ours[field] = theirs[field] = str(step)
        elif action == "del":
            missing = field not in theirs
            if missing:
                with pytest.raises(KeyError):
                    del ours[field]
            else:
                del ours[field], theirs[field]
        elif action == "pop":
            assert ours.pop(field, None) == theirs.pop(field, None)
        elif action == "update":
            ours.update({field: "u", "y": "v"})
            theirs.update({field: "u", "y": "v"})
        else:
            assert ours.setdefault(field, "d") == theirs.setdefault(field, "d")
        assert ours == theirs and len(ours) == len(theirs) and dict(ours.items()) == theirs
        assert ours.get(field) == theirs.get(field)
    assert ours.increment("count", 5) == 5 and ours["count"] == "5"
    assert ours.siblings("count") == () or ours.siblings("count")[0].value == "5"


def test_bytes_and_text_are_lossless(db):
    raw = bytes(range(256))
    db.map(raw, text=False)[raw] = raw
    assert db.map(raw, text=False)[raw] == raw
    text = db.map(raw)
    assert [field.encode("utf-8", "surrogateescape") for field in text] == [raw]
    text[next(iter(text))] = text[next(iter(text))]
    assert db.map(raw, text=False)[raw] == raw
    db.set("t").add("Grüße, 世界")
    assert db.set("t", text=False) == {"Grüße, 世界".encode()}
    with pytest.raises(TypeError):
        db.set("t").add(7)


def test_keys_of_the_database(db):
    assert len(db) == 0 and "k" not in db and db
    for index in range(30):
        db.string(f"k{index}").set("v")
    assert sorted(db) == sorted(f"k{index}" for index in range(30)) and len(db) == 30
    del db["k3"]
    with pytest.raises(KeyError):
        del db["k3"]
    assert "k3" not in db and db.type("k4") == "string" and db.type("k3") is None


def test_a_key_of_another_type(db):
    db.set("s").add("x")
    with pytest.raises(TypeError) as raised:
        db.counter("s").add(1)
    assert isinstance(raised.value, syncline.WrongType) and raised.value.code == "wrong_type"
    with pytest.raises(syncline.LimitExceeded):
        db.string("k" * 10_000_000).set("v")


def test_handles_are_equal_by_key(db):
    assert db.counter("a") == db.counter("a") != db.counter("b")
    assert db.set("a") == db.set("b")  # both are empty
    assert "a" in repr(db.set("a")) and "visits" in repr(db.counter("visits"))
