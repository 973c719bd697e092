"""Exceptions. Each is an Error with a `code`, and the builtin a Python programmer would expect."""

__all__ = ["Error", "InvalidArgument", "WrongType", "Overflow", "Corrupt", "StorageError",
           "LimitExceeded", "VersionMismatch", "Unauthorized", "Unavailable", "Locked",
           "Conflict", "NoRights", "Permanent", "Timeout", "NoSpace"]


class Error(Exception):
    """What every error of this module is.

    Attributes:
        code: the kind of error, the same word in all of Syncline ("wrong_type", "locked", ...).
    """

    code = "error"


class InvalidArgument(Error, ValueError):
    """A value is out of its domain."""

    code = "invalid_argument"


class WrongType(Error, TypeError):
    """The key holds another data type."""

    code = "wrong_type"


class Overflow(Error, OverflowError):
    """A counter would leave the range of 64 bits."""

    code = "overflow"


class Corrupt(Error):
    """Bytes on the disk, or of a message, are not what they must be."""

    code = "corrupt"


class StorageError(Error, OSError):
    """The operating system refused a read, a write or a sync."""

    code = "io"


class NoSpace(StorageError):
    """The disk is full, or map_bytes is reached: nothing was done. Removals are still taken."""

    code = "no_space"


class LimitExceeded(Error, ValueError):
    """A key, a value or a transaction is too large."""

    code = "limit"


class VersionMismatch(Error):
    """A data directory or a peer of another version."""

    code = "version"


class Unauthorized(Error, PermissionError):
    """A peer could not prove that it knows the secret."""

    code = "unauthorized"


class Unavailable(Error, RuntimeError):
    """Not now: the database is closed, or is called from inside one of its own calls."""

    code = "unavailable"


class Locked(Error, BlockingIOError):
    """Another process, or another Database of this one, holds the data directory."""

    code = "locked"


class Conflict(Error, RuntimeError):
    """The value has changed since the siblings were read that were to be replaced."""

    code = "conflict"


class NoRights(Error, RuntimeError):
    """This replica has fewer rights to a bounded counter than it would need."""

    code = "no_rights"


class Permanent(Error, TypeError):
    """A bounded counter would be removed, replaced or given an end."""

    code = "permanent"


class Timeout(Error, TimeoutError):
    """It did not happen in the time that was given; it may still happen."""

    code = "timeout"


_BY_CODE = {kind.code: kind for kind in (InvalidArgument, WrongType, Overflow, Corrupt,
                                         StorageError, LimitExceeded, VersionMismatch,
                                         Unauthorized, Unavailable, Locked, Conflict,
                                         NoRights, Permanent, NoSpace)}


def from_code(code, message):
    """The exception for an error of the engine."""
    error = _BY_CODE.get(code, Error)(message)
    error.code = code
    return error
