"""Notebooks as the tests make them: out of cells, and out of a module as a student would fill in its cells."""

from __future__ import annotations

import json
from typing import Any

import support

from grader.notebooks.splitting import owners, pieces


def code(text: str, **more: Any) -> dict[str, Any]:
    """Return a code cell."""
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": text} | more


def markdown(text: str) -> dict[str, Any]:
    """Return a cell of prose."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def notebook(*cells: dict[str, Any] | str, **more: Any) -> bytes:
    """Return a notebook's file; a text is a code cell."""
    made = [code(cell) if isinstance(cell, str) else cell for cell in cells]
    plain = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made} | more
    return json.dumps(plain).encode()


def filled_in(module: str, source: str) -> bytes:
    """Return a milestone's notebook with a source in its cells, as `notebook` would lay it out."""
    milestone = support.COURSE.milestone(module)
    owned = owners(milestone.stub.read_text(encoding="utf-8"))
    return notebook(
        "%load_ext grader.notebook",
        *(f"# {', '.join(tasks) or milestone.number}\n{text}" for tasks, text in pieces(source, owned)),
        f"%grade {milestone.tasks[0].id}",
    )
