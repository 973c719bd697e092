"""Database, its transactions, and watches."""

import atexit
import contextlib
import os
import queue
import weakref
from typing import NamedTuple

from . import _core
from ._errors import InvalidArgument
from ._handles import Keyspace
from ._text import decoder, encode

# Closed at exit: their threads must not outlive the interpreter.
_open_databases = weakref.WeakSet()
# What a watch that nobody reads holds at most; older changes are dropped.
_WATCH_CHANGES_MAX = 10000


class Transaction(Keyspace):
    """A transaction being made: reads see its own writes. Of no use after its function ended."""

    def __init__(self, space):
        self._space = space


class Batch:
    """Writes that become one transaction when the `with` block ends, and nothing if it raises.

    It takes down what to do and does it at the end: methods return None, and reading belongs into
    Database.transact().
    """

    class _Recorder:
        _WRITES = {"bounded_increment", "bounded_decrement", "bounded_transfer", "flag_enable",
                   "flag_disable", "counter_add", "counter_set", "string_set", "string_put",
                   "string_remove", "set_add", "set_remove", "set_clear", "map_put", "map_put_seen",
                   "map_remove", "map_increment", "map_clear", "sorted_add", "sorted_increment",
                   "sorted_remove", "sorted_clear", "list_push_back", "list_push_front",
                   "list_insert", "list_set", "list_remove", "list_clear", "text_insert",
                   "text_append", "text_erase", "text_clear", "expire", "expire_at", "persist",
                   "remove"}

        def __init__(self):
            self.calls = []

        def __getattr__(self, name):
            if name not in self._WRITES:
                raise InvalidArgument("a batch only writes; read in Database.transact()")

            def record(*arguments):
                self.calls.append((name, arguments))
                # Removals answer as if it had been there: nobody knows yet.
                return True if name.endswith("remove") else None

            return record

    def __init__(self):
        self._recorder = Batch._Recorder()
        self._keyspace = Transaction(self._recorder)

    def counter(self, key):
        """The counter under a key."""
        return self._keyspace.counter(key)

    def bounded_counter(self, key):
        """The bounded counter under a key."""
        return self._keyspace.bounded_counter(key)

    def flag(self, key):
        """The flag under a key."""
        return self._keyspace.flag(key)

    def string(self, key, text=True):
        """The register under a key."""
        return self._keyspace.string(key, text)

    def set(self, key, text=True):
        """The set under a key."""
        return self._keyspace.set(key, text)

    def map(self, key, text=True):
        """The map under a key."""
        return self._keyspace.map(key, text)

    def sorted_set(self, key, text=True):
        """The sorted set under a key."""
        return self._keyspace.sorted_set(key, text)

    def list(self, key, text=True):
        """The list under a key."""
        return self._keyspace.list(key, text)

    def text(self, key):
        """The text under a key."""
        return self._keyspace.text(key)

    def expire(self, key, seconds):
        """Lets a key end so many seconds after the transaction."""
        self._keyspace.expire(key, seconds)

    def expire_at(self, key, when):
        """Lets a key end at a datetime, or at a number of seconds since 1970."""
        self._keyspace.expire_at(key, when)

    def persist(self, key):
        """Lets a key stay for ever."""
        self._keyspace.persist(key)

    def remove(self, key):
        """Removes what this replica sees of a key, whatever it holds."""
        self._recorder.remove(encode(key))


class Change(NamedTuple):
    """A change of a watched key.

    Attributes:
        key: the key.
        origin: the transaction that made it, "node.incarnation:counter"; None when many were taken
            over at once, after a comparison with a peer: then the key may have changed.
        local: made here.
    """

    key: object
    origin: str
    local: bool


class Watch:
    """Changes of one key, in order, from when it was made; an iterator that waits for the next.

    Holds the last 10,000 changes that nobody took; `missed` counts those that were dropped.
    """

    def __init__(self, core, key, text):
        self._changes = queue.Queue()
        self._done = False
        self.missed = 0
        decode = decoder(text)
        reference = weakref.ref(self)

        def on_change(changed, origin, local):
            watch = reference()
            if watch is not None:
                watch._put(Change(decode(changed), origin, local))

        self._core = core.watch(encode(key), on_change)

    def _put(self, change):
        if self._changes.qsize() >= _WATCH_CHANGES_MAX:
            with contextlib.suppress(queue.Empty):
                self._changes.get_nowait()
                self.missed += 1
        self._changes.put(change)

    def __iter__(self):
        return self

    def __next__(self):
        change = self.get()
        if change is None:
            raise StopIteration
        return change

    def get(self, timeout=None):
        """The next change; None when the watch has ended.

        Args:
            timeout: seconds to wait for it; None: as long as it takes.

        Raises:
            TimeoutError: none came.
        """
        try:
            change = self._changes.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"no change within {timeout} s") from None
        if change is None:
            self._changes.put(None)  # for the next call
        return change

    def stop(self):
        """Ends it: an iteration that waits ends, too."""
        if not self._done:
            self._core.stop()
            self._done = True
            self._changes.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def __del__(self):
        if not getattr(self, "_done", True):
            self.stop()


class Snapshot(Keyspace):
    """One state of a database, which stays readable over many calls while others write.

    It only reads; writing raises InvalidArgument. What it holds grows memory and log, so it ends:
    with the `with` block or release(), after `snapshot_seconds_max` or `snapshot_bytes_max` (see
    open()), when the disk gets full, when rows of a peer are taken over after a comparison, and
    with the database. Then reading raises Unavailable, which says why.
    """

    def __init__(self, core):
        self._space = core

    @property
    def version(self):
        """Every transaction that it shows: counters by actor."""
        return self._space.version()

    def release(self):
        """Ends it. A second time does nothing."""
        self._space.release()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class BackupProgress(NamedTuple):
    """How far a backup is.

    Attributes:
        rows: copied so far.
        rows_expected: there are about so many.
        events: transactions copied that came meanwhile.
        bytes: of the copy.
    """

    rows: int
    rows_expected: int
    events: int
    bytes: int


class Database(Keyspace):
    """An embedded replica: all data here, durable, complete without a network.

    A call that writes returns when its transaction is on disk; calls of several threads share one
    sync. May be used by many threads; no call holds the interpreter's lock while it waits. Not
    across fork(): a child that uses it gets Unavailable; open it there.
    """

    def __init__(self, core, path):
        self._space = core
        self._watches = weakref.WeakSet()
        self._nodes = weakref.WeakSet()
        self.path = path
        _open_databases.add(self)

    def transact(self, function):
        """Runs function(transaction) as one transaction, and returns what it returns.

        What it raises drops the transaction. It runs alone: others wait meanwhile, and calls to the
        database itself, instead of the transaction, raise Unavailable.
        """
        results = []
        self._space.transact(lambda space: results.append(function(Transaction(space))))
        return results[0]

    @contextlib.contextmanager
    def batch(self):
        """A Batch, committed as one transaction when the block ends, dropped when it raises."""
        batch = Batch()
        yield batch
        calls = batch._recorder.calls
        if calls:
            self._space.transact(lambda space: [getattr(space, name)(*arguments)
                                                for name, arguments in calls])

    def snapshot(self):
        """A Snapshot of the state as it is now, with all that was written before.

        Those between which nothing was written share one state; else a second one waits until the
        first is released or ends.

        Raises:
            Unavailable: nothing was ever written, or an older state is still being read.
            NoSpace, StorageError
        """
        return Snapshot(self._space.snapshot())

    def watch(self, key, text=True):
        """A Watch of a key."""
        watch = Watch(self._space, key, text)
        self._watches.add(watch)
        return watch

    def stats(self):
        """What this database is and has done: identity, version vector, root hash, figures."""
        return self._space.stats()

    def backup(self, path, progress=None):
        """Copies the database into a new directory, while other threads read and write.

        The copy is of the state at its end; `syncline verify` checks it, `syncline restore` makes
        a data directory of it.

        Args:
            path: of the new directory.
            progress: called after each piece with a BackupProgress; ends the backup by answering
                False or raising. What is there then is no backup.

        Raises:
            InvalidArgument: the path is not empty.
            Unavailable: another backup is under way, progress() ended it, or nothing was ever
                written.
            NoSpace, StorageError, Corrupt
        """
        told = progress and (lambda *figures: progress(BackupProgress(*figures)))
        self._space.backup(os.fsencode(path), told)

    def next_message(self, peer):
        """What to carry to the replica called `peer` (a name of your choice), or None.

        Hand it to receive() there, carry back what next_message() answers there, in order, until
        both answer None: then both have seen the same.
        """
        return self._space.next_message(encode(peer))

    def restart_exchange(self, peer):
        """Begins the exchange with a peer anew, from what both sides have by now.

        For both sides to call, when messages between them were lost.
        """
        self._space.restart_exchange(encode(peer))

    def receive(self, peer, message):
        """Takes in a message of a peer.

        Raises:
            Corrupt: it is damaged; nothing has changed.
        """
        self._space.receive(encode(peer), message)

    def close(self):
        """Ends its watches and its node, makes a last checkpoint and lets go of the directory.

        A second time does nothing.
        """
        for part in [*self._watches, *self._nodes]:
            part.stop()
        self._space.close()
        _open_databases.discard(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __repr__(self):
        return f"<syncline.Database {self.path!r}>"

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other


def open(path, replica="", *, cluster="", replicas=0, policies=None, checkpoint_interval=5.0,
         durability="always", sync_interval=1.0, map_bytes=0, repair_bandwidth=0,
         snapshot_seconds_max=60.0, snapshot_bytes_max=128 << 20):
    """Opens a data directory, or makes one.

    Args:
        path: the directory; the same as a server's (`syncline serve --data`), one at a time.
        replica: a name for people; empty: as the directory remembers.
        cluster: a name that replicas share which are to meet. Empty: as the directory remembers; a
            new one becomes a member of its first peer's cluster, or founds its own.
        replicas: how many the cluster has, this one included, the same everywhere. Then what every
            one of them has seen go is dropped. 0: unknown.
        policies: what removals do against concurrent adds to sets and flags, the same everywhere: a
            mapping of key prefixes to "add-wins" or "remove-wins". The longest prefix decides.
        checkpoint_interval: seconds after which changes leave the log for the tables.
        durability: "always": calls that write return when it is on disk. "interval": when the
            operating system has it; it is synced every `sync_interval`, and a power cut takes what
            was written since. After an end without close() the replica then writes as another
            actor: rights to bounded counters that it held stay with the old one.
        sync_interval: seconds.
        map_bytes: how large the rows on disk may become. From 85 % of it, or of the disk, calls
            that add something raise NoSpace; reads and removals go on. 0: as the disk allows.
        repair_bandwidth: bytes a second that a Node sends for repair, to all peers together. New
            transactions, and messages carried by hand, do not wait for it. 0: no cap.
        snapshot_seconds_max: after so long a Snapshot ends,
        snapshot_bytes_max: and when so much was written since it was taken, at most 128 MiB.

    Raises:
        Locked: it is open already.
        InvalidArgument: it belongs to another cluster, or a policy or the durability is none.
        Corrupt, VersionMismatch, NoSpace, StorageError
    """
    options = _core.DatabaseOptions()
    options.path = os.fsdecode(path)
    options.replica = replica
    options.cluster = cluster
    options.replicas = replicas
    options.policies = [f"{prefix}={rule}" for prefix, rule in dict(policies or {}).items()]
    options.checkpoint_interval_ms = int(checkpoint_interval * 1000)
    options.durability = durability
    options.sync_interval_ms = int(sync_interval * 1000)
    options.map_bytes = map_bytes
    options.repair_bandwidth = repair_bandwidth
    options.snapshot_ms_max = int(snapshot_seconds_max * 1000)
    options.snapshot_bytes_max = snapshot_bytes_max
    return Database(_core.Database.open(options), options.path)


@atexit.register
def _close_all():
    for database in list(_open_databases):
        with contextlib.suppress(Exception):  # nobody is left to tell
            database.close()
