"""What every check is given, wherever its room lies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .draw import Draw
from .llama_weights import LlamaWeights
from .oracles import Data, Weights
from .planned import Planned
from .run import Run
from .student import Student

RUN: pytest.StashKey[Run] = pytest.StashKey()
CHECK: pytest.StashKey[Planned] = pytest.StashKey()


@pytest.fixture
def student(request: pytest.FixtureRequest) -> Iterator[Student]:
    """The submission's module, in a sandboxed worker of its own."""
    run = request.config.stash[RUN]
    with run.student(request.node.stash[CHECK]) as student:
        yield student


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> Draw:
    """All randomness of a check."""
    check = request.node.stash[CHECK]
    return Draw(request.config.stash[RUN].options.seed, f"{check.milestone.id}::{check.id}")


@pytest.fixture
def weights(request: pytest.FixtureRequest) -> Weights:
    """The GPT-2 checkpoint in use."""
    return request.config.stash[RUN].weights


@pytest.fixture
def llama_weights(request: pytest.FixtureRequest) -> LlamaWeights:
    """The Llama checkpoint in use."""
    return request.config.stash[RUN].weights.llama


@pytest.fixture
def data(request: pytest.FixtureRequest) -> Data:
    """What fixtures/ holds."""
    return request.config.stash[RUN].data
