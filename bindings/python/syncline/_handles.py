"""Handles: a key, and where its operations run. They have no state of their own."""

import operator
from collections.abc import MutableMapping, MutableSequence, MutableSet
from typing import NamedTuple

from ._errors import InvalidArgument
from ._text import decoder, encode


class Sibling(NamedTuple):
    """One of the concurrent values of a register.

    Attributes:
        value: what was written.
        origin: the transaction that wrote it, "node.incarnation:counter".
        time: when, by the writer's clock; seconds since 1970.
    """

    value: object
    origin: str
    time: float


class Siblings(tuple):
    """All concurrent values, the one that is shown first, and what was seen when they were read.

    Attributes:
        context: hand it to put(), to replace exactly what was seen.
    """

    def __new__(cls, values, context):
        siblings = super().__new__(cls, values)
        siblings.context = context
        return siblings


class Handle:
    """A key of a database. Cheap to make; two handles of one key are equal."""

    def __init__(self, space, key, text=True):
        self._space = space
        self._key = encode(key)
        self._text = text
        self._decode = decoder(text)

    @property
    def key(self):
        """The key, as str or bytes like the values."""
        return self._decode(self._key)

    def __eq__(self, other):
        same = isinstance(other, type(self)) and self._space is other._space
        return same and self._key == other._key

    def __hash__(self):
        return hash((type(self), id(self._space), self._key))

    def _siblings(self, stored):
        values, context = stored
        return Siblings([Sibling(self._decode(value), origin, time)
                         for value, origin, time in values], context)


class Counter(Handle):
    """A 64-bit number to which replicas add concurrently; no addition is lost."""

    def add(self, amount=1):
        """Adds, and returns the sum that this replica sees.

        Raises:
            Overflow: the sum would leave 64 bits.
            InvalidArgument: the key holds text that is no number.
        """
        return self._space.counter_add(self._key, amount)

    @property
    def value(self):
        """The sum; 0 for a missing key."""
        return self._space.counter_get(self._key)

    @value.setter
    def value(self, number):
        self._space.counter_set(self._key, number)

    def __int__(self):
        return self.value

    __index__ = __int__

    def __repr__(self):
        return f"<syncline.Counter {self.key!r}: {self.value}>"


class Rights(NamedTuple):
    """What one replica may take off a bounded counter, and what that comes from.

    Attributes:
        actor: what the replica writes as, "node.incarnation".
        rights: made + received - transferred - used.
        made: all it added.
        received: what others transferred to it.
        transferred: what it transferred to others.
        used: all it took off.
    """

    actor: str
    rights: int
    made: int
    received: int
    transferred: int
    used: int


class Flag(Handle):
    """Enabled or disabled, at first disabled; true in conditions while it is enabled.

    Of concurrent calls enabling wins, or disabling for keys with such a policy (open()).
    """

    def enable(self):
        """Enables it; True: it was disabled."""
        return self._space.flag_enable(self._key)

    def disable(self):
        """Disables it; True: it was enabled."""
        return self._space.flag_disable(self._key)

    @property
    def enabled(self):
        """Whether it is enabled."""
        return self._space.flag_enabled(self._key)

    def __bool__(self):
        return self.enabled

    def __repr__(self):
        return f"<syncline.Flag {self.key!r}: {'enabled' if self.enabled else 'disabled'}>"


class BoundedCounter(Handle):
    """A number that never goes below 0: each unit added is a right to take one off.

    A replica takes off only what it has the rights to, with or without a network. Nothing removes
    a bounded counter, and the rights of a replica that is lost are lost with it.
    """

    def increment(self, amount=1):
        """Adds at least 1, and returns the value that this replica sees.

        Raises:
            Overflow: the value would leave 63 bits.
        """
        return self._space.bounded_increment(self._key, amount)

    def decrement(self, amount=1):
        """Takes off at least 1, and returns the value that this replica sees.

        Raises:
            NoRights: this replica has fewer rights; the message says who has more.
        """
        return self._space.bounded_decrement(self._key, amount)

    @property
    def value(self):
        """The value; 0 for a missing key."""
        return self._space.bounded_get(self._key)

    @property
    def rights(self):
        """Who may take off how much: this replica first, then those with most rights."""
        return [Rights(*part) for part in self._space.bounded_rights(self._key)]

    def transfer(self, amount, actor):
        """Gives rights of this replica to another.

        Args:
            actor: what that replica writes as: `rights[0].actor` there. Rights of an actor that
                does not exist are of no use to anybody.

        Raises:
            NoRights: this replica has fewer.
            InvalidArgument: it is this replica, or an earlier incarnation of one.
        """
        self._space.bounded_transfer(self._key, amount, encode(actor))

    def __int__(self):
        return self.value

    __index__ = __int__

    def __repr__(self):
        return f"<syncline.BoundedCounter {self.key!r}: {self.value}>"


class String(Handle):
    """A register: the last writer is shown, concurrent values are kept as siblings."""

    def get(self, default=None):
        """The value, or `default` for a missing key."""
        stored = self._space.string_get(self._key)
        return default if stored is None else self._decode(stored)

    def set(self, value):
        """Replaces all values that this replica sees."""
        self._space.string_set(self._key, encode(value))

    def put(self, value, context):
        """Replaces the siblings that were read with this context, as merged by the caller.

        Args:
            context: `siblings.context`.

        Raises:
            Conflict: another value has come since; read the siblings again.
        """
        self._space.string_put(self._key, encode(value), context)

    def remove(self):
        """Removes all values that this replica sees. True: there was one."""
        return self._space.string_remove(self._key)

    @property
    def siblings(self):
        """All concurrent values, the one that get() shows first."""
        return self._siblings(self._space.string_siblings(self._key))

    def __repr__(self):
        return f"<syncline.String {self.key!r}: {self.get()!r}>"


class Set(Handle, MutableSet):
    """An add-wins set of str or bytes: an add survives a concurrent removal."""

    def __contains__(self, member):
        if not isinstance(member, (str, bytes, bytearray, memoryview)):
            return False
        return self._space.set_contains(self._key, encode(member))

    def __iter__(self):
        return iter([self._decode(member) for member in self._space.set_members(self._key)])

    def __len__(self):
        return self._space.set_size(self._key)

    def add(self, member):
        """Adds a member. Adding it again lets it survive removals made elsewhere meanwhile."""
        self._space.set_add(self._key, encode(member))

    def discard(self, member):
        """Removes a member if it is there."""
        self._space.set_remove(self._key, encode(member))

    def remove(self, member):
        """Removes a member.

        Raises:
            KeyError: it is not there.
        """
        if not self._space.set_remove(self._key, encode(member)):
            raise KeyError(member)

    def clear(self):
        """Removes the members that this replica sees, as one change."""
        self._space.set_clear(self._key)

    @classmethod
    def _from_iterable(cls, members):
        return set(members)

    __hash__ = Handle.__hash__

    def __eq__(self, other):
        if isinstance(other, Set):
            return Handle.__eq__(self, other) or set(self) == set(other)
        return set(self) == other

    def __repr__(self):
        return f"<syncline.Set {self.key!r}: {set(self)!r}>"


class Map(Handle, MutableMapping):
    """Fields with values; each field is a register of its own, or a counter."""

    def __getitem__(self, field):
        stored = self._space.map_get(self._key, encode(field))
        if stored is None:
            raise KeyError(field)
        return self._decode(stored)

    def __setitem__(self, field, value):
        self._space.map_put(self._key, encode(field), encode(value))

    def __delitem__(self, field):
        if not self._space.map_remove(self._key, encode(field)):
            raise KeyError(field)

    def __contains__(self, field):
        if not isinstance(field, (str, bytes, bytearray, memoryview)):
            return False
        return self._space.map_contains(self._key, encode(field))

    def __iter__(self):
        return iter([field for field, _ in self._entries()])

    def __len__(self):
        return self._space.map_size(self._key)

    def _entries(self):
        entries = self._space.map_entries(self._key)
        return [(self._decode(field), self._decode(value)) for field, value in entries]

    def copy(self):
        """All fields at one moment, as a dict."""
        return dict(self._entries())

    def increment(self, field, amount=1):
        """Adds to a field that is a counter; returns the sum that this replica sees.

        Raises:
            Overflow: the sum would leave 64 bits.
            InvalidArgument: the field holds text that is no number.
        """
        return self._space.map_increment(self._key, encode(field), amount)

    def put(self, field, value, context):
        """Replaces the siblings of a field that were read with this context.

        Raises:
            Conflict: another value has come since; read the siblings again.
        """
        self._space.map_put_seen(self._key, encode(field), encode(value), context)

    def siblings(self, field):
        """All concurrent values of a field, the one that is shown first."""
        return self._siblings(self._space.map_siblings(self._key, encode(field)))

    def clear(self):
        """Removes the fields that this replica sees, as one change."""
        self._space.map_clear(self._key)

    __hash__ = Handle.__hash__

    def __eq__(self, other):
        if isinstance(other, Map):
            return Handle.__eq__(self, other) or self.copy() == other.copy()
        return self.copy() == other

    def __repr__(self):
        return f"<syncline.Map {self.key!r}: {self.copy()!r}>"


class SortedSet(Handle, MutableMapping):
    """Members with scores, in the order of these: a mapping from member to float.

    Of concurrent scores of a member the last one written is seen, additions beside it add up, and
    an add survives a concurrent removal.
    """

    _ALL = 2**63 - 1

    def __getitem__(self, member):
        score = self._space.sorted_score(self._key, encode(member))
        if score is None:
            raise KeyError(member)
        return score

    def __setitem__(self, member, score):
        self._space.sorted_add(self._key, encode(member), score)

    def __delitem__(self, member):
        if not self._space.sorted_remove(self._key, encode(member)):
            raise KeyError(member)

    def __contains__(self, member):
        if not isinstance(member, (str, bytes, bytearray, memoryview)):
            return False
        return self._space.sorted_score(self._key, encode(member)) is not None

    def __iter__(self):
        return iter([member for member, _ in self.range()])

    def __len__(self):
        return self._space.sorted_size(self._key)

    def _decoded(self, members):
        return [(self._decode(member), score) for member, score in members]

    def copy(self):
        """All members at one moment, as a dict in the order of their scores."""
        return dict(self.range())

    def increment(self, member, amount=1):
        """Adds to a score, from 0 on for a new member; returns the score that is seen.

        Exact for decimals of at most 17 digits behind the point and below 10**21.

        Raises:
            InvalidArgument: an infinite score, less itself.
        """
        return self._space.sorted_increment(self._key, encode(member), amount)

    def range(self, first=0, count=_ALL):
        """(member, score) pairs from the place `first` on, ascending."""
        return self._decoded(self._space.sorted_range(self._key, first, count))

    def largest(self, count=_ALL, first=0):
        """(member, score) pairs from the largest score on."""
        return self._decoded(self._space.sorted_largest(self._key, first, count))

    def between(self, low, high):
        """(member, score) pairs with scores from `low` to `high`, both included."""
        return self._decoded(self._space.sorted_between(self._key, low, high))

    def clear(self):
        """Removes the members that this replica sees, as one change."""
        self._space.sorted_clear(self._key)

    __hash__ = Handle.__hash__

    def __eq__(self, other):
        if isinstance(other, SortedSet):
            return Handle.__eq__(self, other) or self.copy() == other.copy()
        return self.copy() == other

    def __repr__(self):
        return f"<syncline.SortedSet {self.key!r}: {self.copy()!r}>"


class List(Handle, MutableSequence):
    """Values in an order that all replicas agree on: a mutable sequence, and a queue.

    Every value put in stays until somebody who has seen it takes it out. Two replicas that pop at
    the same time may pop the same value.
    """

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self.copy()[index]
        stored = self._space.list_get(self._key, operator.index(index))
        if stored is None:
            raise IndexError("list index out of range")
        return self._decode(stored)

    def __setitem__(self, index, value):
        if isinstance(index, slice):
            raise TypeError("elements are set one at a time")
        try:
            self._space.list_set(self._key, operator.index(index), encode(value))
        except InvalidArgument:
            raise IndexError("list assignment index out of range") from None

    def __delitem__(self, index):
        if isinstance(index, slice):
            raise TypeError("elements are removed one at a time")
        if not self._space.list_remove(self._key, operator.index(index)):
            raise IndexError("list index out of range")

    def __iter__(self):
        return iter(self.copy())

    def __len__(self):
        return self._space.list_size(self._key)

    def copy(self):
        """All values at one moment, as a list."""
        return [self._decode(value) for value in self._space.list_range(self._key, 0, -1)]

    def insert(self, index, value):
        """Puts a value in front of the one at an index."""
        self._space.list_insert(self._key, operator.index(index), encode(value))

    def append(self, value):
        """Puts a value at the end."""
        self.extend([value])

    def extend(self, values):
        """Puts values at the end; they stay together whatever others append meanwhile."""
        self._space.list_push_back(self._key, [encode(value) for value in values])

    def appendleft(self, value):
        """Puts a value in front."""
        self._space.list_push_front(self._key, [encode(value)])

    def popleft(self):
        """Takes the first value out.

        Raises:
            IndexError: the list is empty.
        """
        return self._popped(self._space.list_pop_front(self._key))

    def pop(self, index=-1):
        """Takes a value out, the last one unless an index says otherwise.

        Raises:
            IndexError: there is none.
        """
        if index == -1:
            return self._popped(self._space.list_pop_back(self._key))
        return super().pop(index)

    def _popped(self, stored):
        if stored is None:
            raise IndexError("pop from an empty list")
        return self._decode(stored)

    def clear(self):
        """Removes the values that this replica sees, as one change."""
        self._space.list_clear(self._key)

    __hash__ = Handle.__hash__

    def __eq__(self, other):
        if isinstance(other, List):
            return Handle.__eq__(self, other) or self.copy() == other.copy()
        return self.copy() == other

    def __repr__(self):
        return f"<syncline.List {self.key!r}: {self.copy()!r}>"


class Text(Handle):
    """A text that several edit at once: a mutable string, with positions in characters of str.

    What is inserted at one place at the same time stands one behind the other, whole. The text is
    made by the first insertion; clear() removes it with what others write into it meanwhile.
    """

    def __str__(self):
        stored = self._space.text_get(self._key)
        return "" if stored is None else self._decode(stored)

    def __len__(self):
        return self._space.text_size(self._key)

    def __getitem__(self, index):
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                return str(self)[index]
            count = max(stop - start, 0)
            return self._decode(self._space.text_part(self._key, start, count))
        return self._decode(self._space.text_part(self._key, self._place(index), 1))

    def __delitem__(self, index):
        """Erases characters: del text[3:7]."""
        if not isinstance(index, slice):
            self._space.text_erase(self._key, self._place(index), 1)
            return
        start, stop, step = index.indices(len(self))
        if step != 1:
            raise ValueError("characters are erased from one place at a time")
        if stop > start:
            self._space.text_erase(self._key, start, stop - start)

    def insert(self, index, value):
        """Puts text in front of the character at an index, or at the end.

        Raises:
            IndexError: the index is not in the text.
        """
        index = operator.index(index)
        place = index if index >= 0 else index + len(self)
        if place < 0 or (place > 0 and place > len(self)):
            raise IndexError("text index out of range")
        if value:
            self._space.text_insert(self._key, place, encode(value))

    def append(self, value):
        """Puts text at the end."""
        if value:
            self._space.text_append(self._key, encode(value))

    def mark(self, index):
        """A lasting name of the character at an index, for a cursor that keeps its place.

        Raises:
            IndexError: there is no character.
        """
        return self._space.text_mark(self._key, self._place(index)).decode()

    def index_of(self, mark):
        """Where a marked character is, or, if it was erased, the one behind it; None: not here.

        Raises:
            InvalidArgument: it is no mark.
        """
        return self._space.text_position(self._key, encode(mark))

    def clear(self):
        """Removes the text."""
        self._space.text_clear(self._key)

    __hash__ = Handle.__hash__

    def __eq__(self, other):
        if isinstance(other, Text):
            return Handle.__eq__(self, other) or str(self) == str(other)
        return str(self) == other

    def __repr__(self):
        return f"<syncline.Text {self.key!r}: {str(self)!r}>"

    def _place(self, index):
        length = len(self)
        place = operator.index(index)
        place += length if place < 0 else 0
        if not 0 <= place < length:
            raise IndexError("text index out of range")
        return place


class Keyspace:
    """The keys of a database, as it and a transaction show them alike."""

    _space = None

    def counter(self, key):
        """The counter under a key."""
        return Counter(self._space, key)

    def bounded_counter(self, key):
        """The bounded counter under a key."""
        return BoundedCounter(self._space, key)

    def flag(self, key):
        """The flag under a key."""
        return Flag(self._space, key)

    def string(self, key, text=True):
        """The register under a key; with text=False its values are bytes."""
        return String(self._space, key, text)

    def set(self, key, text=True):
        """The set under a key; with text=False its members are bytes."""
        return Set(self._space, key, text)

    def map(self, key, text=True):
        """The map under a key; with text=False its fields and values are bytes."""
        return Map(self._space, key, text)

    def sorted_set(self, key, text=True):
        """The sorted set under a key; with text=False its members are bytes."""
        return SortedSet(self._space, key, text)

    def list(self, key, text=True):
        """The list under a key; with text=False its values are bytes."""
        return List(self._space, key, text)

    def text(self, key):
        """The text under a key."""
        return Text(self._space, key)

    def expire(self, key, seconds):
        """Lets a key end so many seconds from now. False: there is no such key.

        Of concurrent deadlines the latest counts; setting a string removes those it has seen.
        """
        return self._space.expire(encode(key), round(seconds * 1000))

    def expire_at(self, key, when):
        """Lets a key end at a datetime, or at a number of seconds since 1970."""
        seconds = when.timestamp() if hasattr(when, "timestamp") else when
        return self._space.expire_at(encode(key), max(round(seconds * 1000), 0))

    def persist(self, key):
        """Lets a key stay for ever. False: it had no deadline, or there is no such key."""
        return self._space.persist(encode(key))

    def deadline(self, key):
        """When a key ends, in seconds since 1970; None: never, or there is no such key."""
        stored = self._space.deadline(encode(key))
        return None if stored is None else stored / 1000

    def type(self, key):
        """"string" (a counter is one), "bounded-counter", "map", ...; None for a missing key."""
        return self._space.type(encode(key))

    def __contains__(self, key):
        return self._space.exists(encode(key))

    def __delitem__(self, key):
        if not self._space.remove(encode(key)):
            raise KeyError(key)

    def __len__(self):
        return self._space.size()

    def __iter__(self):
        """All keys as str, in slices: keys that come and go meanwhile may be missed."""
        decode = decoder(True)
        cursor = 0
        while True:
            keys, cursor = self._space.keys(cursor, 1000)
            yield from map(decode, keys)
            if cursor == 0:
                return

    def __bool__(self):
        return True
