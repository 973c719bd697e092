import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.environ["SYNCLINE_BINARY"]), "python"))

import syncline  # noqa: E402


@pytest.fixture
def db(tmp_path):
    """An open database in a fresh directory."""
    with syncline.open(tmp_path / "data", replica="a", cluster="test") as database:
        yield database
