"""The network of an embedded database."""

import os
from typing import NamedTuple

from . import _core
from ._errors import Timeout, Unavailable
from ._text import encode


class Peer(NamedTuple):
    """A peer that is configured, or has been here.

    Attributes:
        name: empty until it is known.
        address: as configured, or where it came from.
        node: its identity; empty until it is known.
        connected: whether there is a connection now.
        version: what it is known to hold durably, {actor: counter}.
    """

    name: str
    address: str
    node: str
    connected: bool
    version: dict


class Node:
    """Keeps a database in step with its peers: other Nodes, of any language, and servers.

    It has a thread of its own; what the database writes is streamed to the peers as soon as it is
    durable. Connections that break are made anew, and nothing is lost in between. Ends with stop(),
    with its `with` block or with its database. One for each database.
    """

    def __init__(self, database, *, listen="", peers=(), secret=None, secret_file=None,
                 tls_cert=None, tls_key=None, tls_ca=None, tls_crl=None):
        """Starts it.

        Args:
            database: what to keep in step.
            listen: "127.0.0.1:7400" takes peers there; port 0 takes a free one; empty: only this
                side connects.
            peers: whom to connect to, again and again: ["host:7400", ...].
            secret: what all members of the cluster know, 16 to 1024 bytes; str or bytes.
            secret_file: the same in a file that only its owner may read.
            tls_cert: TLS, with the secret or instead of it: the PEM file of a certificate for the
                database's `replica` name. Such files are read again when they change.
            tls_key: the certificate's key.
            tls_ca: who signs the certificates of all members, and no others.
            tls_crl: the certificates that it takes back; need not be there.

        Raises:
            InvalidArgument: an address, the secret, or the certificate.
            Unauthorized: others may read the file of the secret or of the key.
            Unavailable: the port is in use, or the database is closed or has a Node.
        """
        if isinstance(peers, str):
            raise TypeError("peers is a list of addresses, not one string")
        options = _core.NodeOptions()
        options.listen = listen
        options.peers = list(peers)
        if secret is not None:
            options.secret = encode(secret)
        if secret_file is not None:
            options.secret_file = os.fsdecode(secret_file)
        for name, path in [("tls_cert", tls_cert), ("tls_key", tls_key), ("tls_ca", tls_ca),
                           ("tls_crl", tls_crl)]:
            if path is not None:
                setattr(options, name, os.fsdecode(path))
        self._stopped = False
        self._database = database  # not to be closed by nobody holding it
        self._core = _core.Node.start(database._space, options)
        database._nodes.add(self)

    @property
    def port(self):
        """The port it listens on; None if it does not."""
        return self._core.port()

    @property
    def peers(self):
        """The peers, as a list of Peer."""
        return [Peer(*peer) for peer in self._core.peers()]

    def wait_synced(self, timeout=30.0):
        """Waits until each configured peer is connected and holds what the database holds, and the
        other way round, as far as they have heard of each other.

        Args:
            timeout: seconds.

        Raises:
            Timeout: it took longer; the message names who is missing.
            Unavailable: it has been stopped, or its database closed.
        """
        try:
            self._core.wait_synced(max(0, int(timeout * 1000)))
        except Unavailable as error:
            if self._stopped:
                raise
            raise Timeout(str(error)) from None

    def stop(self):
        """Lets the peers go. A second time does nothing; a wait in another thread ends."""
        self._stopped = True
        self._core.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def __repr__(self):
        where = "stopped" if self._stopped else f"port {self.port}"
        return f"<syncline.Node of {self._database.path!r}, {where}>"
