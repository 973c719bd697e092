"""Syncline: an embedded, replicated database in which every replica takes writes on its own.

>>> import syncline, tempfile
>>> with syncline.open(tempfile.mkdtemp()) as db:
...     db.counter("visits").add(3)
...     db.set("team").add("ann")
...     db.map("user:1")["name"] = "Ann"
...     int(db.counter("visits")), "ann" in db.set("team"), db.map("user:1").copy()
3
(3, True, {'name': 'Ann'})
"""

from ._database import (BackupProgress, Batch, Change, Database, Snapshot, Transaction, Watch,
                        open)
from ._errors import *  # noqa: F401,F403  (its __all__)
from ._errors import __all__ as _errors_all
from ._handles import (BoundedCounter, Counter, Flag, List, Map, Rights, Set, Sibling, Siblings,
                       SortedSet, String, Text)
from ._node import Node, Peer

__all__ = ["BackupProgress", "Batch", "BoundedCounter", "Change", "Counter", "Database", "Flag",
           "List", "Map", "Node", "Peer", "Rights", "Set", "Sibling", "Siblings", "Snapshot",
           "SortedSet", "String", "Text", "Transaction", "Watch", "open", *_errors_all]
