"""str and bytes. The engine stores bytes; str is UTF-8. Bytes that are no UTF-8 become lone
surrogates (PEP 383), as in file names, and turn back into the same bytes: nothing is lost."""


def encode(value):
    """bytes of a key, field, member or value given as str or bytes.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"str or bytes expected, not {type(value).__name__}")


def decoder(text):
    """The function that turns stored bytes into what a handle returns."""
    if not text:
        return lambda stored: stored
    return lambda stored: stored.decode("utf-8", "surrogateescape")
