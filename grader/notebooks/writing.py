"""A milestone as a notebook: the guide as prose, a cell for each task, and after each what grades it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from grader.syllabus import Milestone

from .splitting import owners, pieces, sections

COLAB = "https://colab.research.google.com"
GITHUB = "https://github.com/"
PLACE = "/content/course"  # of the course's copy on Colab
HOW = """\
This is {number} as a notebook. **What counts are the cells whose first line names a task or the milestone**, such as
`# {task}` or `# {number}`: in their order they are the module that you hand in, and all else is yours. Imports and
helpers go into such a cell, too.

- `%grade {task}` grades the cells as you ran or saved them last, `%grade {number}` all tasks, and `%hint {task}` shows
  the next hint.
- What the guide imports from this module is here already, once you have run its cell.
- Hand in this file, or `{id}.py`: one of them holds your work, the other stays as it came."""
SETUP = """\
# Setup: this cell counts for nothing.
import sys

sys.path.insert(0, "..")  # where the grader lies, if this Python does not know
%load_ext grader.notebook"""
ON_COLAB = """\
# Colab: this cell counts for nothing, and does nothing anywhere else. Colab has no user namespaces, so that the
# report says a weaker isolation level than on your own machine: good for practice, and never for marks.
import sys

if "google.colab" in sys.modules:
    !test -d {place} || git clone --quiet --depth 1 {address} {place}
    !pip install --quiet {needed}
    %cd {place}/exercises
    sys.path.insert(0, "{place}")"""


def notebook(milestone: Milestone, stub: str, guide: str, address: str = "", needed: Sequence[str] = ()) -> str:
    """Return the notebook's file, of format 4.5.

    `address` is the repository's on GitHub, where it is known: Colab then opens the notebook from there, and its first
    cell fetches the course, and installs what it `needed`.
    """
    cells = [_of_prose(_head(milestone, address))]
    if address.startswith(GITHUB):
        packages = " ".join(f'"{name}"' for name in needed)
        cells.append(_of_code(ON_COLAB.format(place=PLACE, address=address, needed=packages)))
    cells.append(_of_code(SETUP))
    cells += _body(milestone, stub, guide)
    numbered = [{"id": f"{milestone.number}-{number}"} | cell for number, cell in enumerate(cells, 1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    plain = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(plain, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _head(milestone: Milestone, address: str) -> str:
    how = HOW.format(number=milestone.number, task=milestone.tasks[0].id, id=milestone.id)
    if not address.startswith(GITHUB):
        return how
    path = f"{address.removeprefix(GITHUB)}/blob/HEAD/exercises/{milestone.id}.ipynb"
    return f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({COLAB}/github/{path})\n\n{how}"


def _body(milestone: Milestone, stub: str, guide: str) -> Iterator[dict[str, Any]]:
    """Give the guide's sections and the stub's pieces, each task's section before its code.

    The stub keeps its order, in which one piece may need what another defines.
    """
    titles = {task.id: task.title for task in milestone.tasks}
    order = {task: number for number, task in enumerate(titles)}
    left, prose = pieces(stub, owners(stub)), sections(guide)
    told: list[str] = []  # tasks whose section is there, and that are not graded yet

    def tell(last: int) -> Iterator[dict[str, Any]]:
        """Give the guide up to the section of the task of this number; up to the first task for -1."""
        upto = [place for place, (task, _) in enumerate(prose) if task and order.get(task, -1) <= last]
        first = next((place for place, (task, _) in enumerate(prose) if task), len(prose))
        for _ in range(upto[-1] + 1 if upto else 0 if told or last >= 0 else first):
            task, text = prose.pop(0)
            told.extend([task] if task in order else [])
            yield _of_prose(text)

    def grade() -> Iterator[dict[str, Any]]:
        """Give a cell that grades for each task of which nothing is left to write."""
        for task in [task for task in told if all(task not in of for of, _ in left)]:
            told.remove(task)
            yield _of_code(f"%grade {task}\n# take away the number sign, and you get a hint:\n# %hint {task}")

    while left:
        of, text = left.pop(0)
        yield from tell(max((order[task] for task in of), default=-1))
        title = f" {titles[of[0]]}" if len(of) == 1 else ""
        yield _of_code(f"# {', '.join(of) or milestone.number}{title}\n{text}")
        yield from grade()
    for number in range(len(order)):
        yield from tell(number)
        yield from grade()
    yield from (_of_prose(text) for _, text in prose)


def _of_prose(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _of_code(text: str) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": lines}
