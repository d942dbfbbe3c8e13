"""The course that brings a room, for the tests of this folder."""

from __future__ import annotations

import own_room
import pytest


@pytest.fixture
def file(tmp_path):
    """The file of a course that brings a room."""
    return own_room.write(tmp_path / "own")


@pytest.fixture
def room(file):
    """That room."""
    return file.parent / "rooms" / own_room.NAME
