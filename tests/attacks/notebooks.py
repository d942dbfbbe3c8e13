"""Notebooks that somebody crafted, to be handed in: what a reader of them may run, believe, or never be done with.

Each function returns what lies in the folder of the exercises, by name, and what must come of m04: its source, or the
beginning of the sentence that refuses it.
"""

from __future__ import annotations

import json
from typing import Any

Files = dict[str, bytes]
NAME = "m04_attention"
BOOK = f"{NAME}.ipynb"
HONEST = "def causal_mask(seq):\n    return seq"
MADE = f"{HONEST}\n"
HOSTILE = "</script></iframe><script>fetch('https://evil.example/')</script><img src=x onerror=alert(1)>"


def b210_one_task_twice() -> tuple[Files, str]:
    """Has a task's cell twice, under one id, the right one first or last, so that two readers take two modules."""
    other = "def causal_mask(seq):\n    return 7"
    cells = [_code(f"# m04.1\n{text}", id="same") for text in (other, HONEST)]
    return {BOOK: _notebook(*cells)}, f"{other}\n\n\n{MADE}"


def b211_outputs_of_megabytes() -> tuple[Files, str]:
    """Has megabytes of outputs around a right cell, for the reader to run out of memory or time."""
    cell = _code(f"# m04.1\n{HONEST}", outputs=[{"output_type": "stream", "name": "stdout", "text": "x" * 2**23}])
    return {BOOK: _notebook(cell)}, f"exercises/{BOOK} cannot be taken: it is larger than 4 MB; clear its outputs"


def b211_cells_of_megabytes() -> tuple[Files, str]:
    """Has a cell of three megabytes, far more than a module may have, below what a notebook may."""
    return {BOOK: _notebook(_code(f"# m04.1\n{HONEST}\n{'#' * 3_000_000}"))}, (
        f"exercises/{BOOK} cannot be taken: its cells that count are larger than 64 kB"
    )


def b211_cells_without_number() -> tuple[Files, str]:
    """Has as many cells as fit into the file, each of which would be named."""
    cells = ",".join(['{"cell_type":"code","source":"x"}'] * 120_000)
    honest = json.dumps(_code(f"# m04.1\n{HONEST}"))
    return {BOOK: f'{{"nbformat":4,"cells":[{cells},{honest}]}}'.encode()}, MADE


def b212_nested_without_end() -> tuple[Files, str]:
    """Is nested a hundred thousand lists deep where outputs belong."""
    deep = _notebook(_code(f"# m04.1\n{HONEST}", outputs=["DEEP"])).replace(b'"DEEP"', b"[" * 100_000 + b"]" * 100_000)
    return {BOOK: deep}, f"exercises/{BOOK} cannot be taken: it is no notebook (it is nested too deep)"


def b213_forged_metadata() -> tuple[Files, str]:
    """Names another language, a kernel with a command, tags and a grader's own metadata, to have cells run or moved."""
    kernel = {"name": "x", "language": "bash", "argv": ["/bin/sh", "-c", "touch sw-attack"], "display_name": HOSTILE}
    grading = {"grade": True, "locked": True, "points": 99, "grade_id": "m04.2", "solution": False, "task": "m05.1"}
    cell = _code(f"# m04.1\n{HONEST}", metadata={"nbgrader": grading, "tags": ["remove-cell", "skip"]})
    hooks = {"papermill": {"parameters": {"x": 1}}, "jupytext": {"text_representation": {"extension": ".sh"}}}
    return {BOOK: _notebook(cell, metadata={"kernelspec": kernel, "language_info": {"name": "bash"}} | hooks)}, MADE


def b214_scripts_in_outputs() -> tuple[Files, str]:
    """Has scripts, frames, and a right module in outputs, attachments and prose, to be shown or taken."""
    data = {"text/html": HOSTILE, "application/javascript": "alert(1)", "text/plain": "# m04.2\nx = 1"}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    prose = {"cell_type": "markdown", "source": f"# m04.2\n{HOSTILE}", "attachments": {"a.svg": {"image/svg+xml": HOSTILE}}}
    return {BOOK: _notebook(_code(f"# m04.1\n{HONEST}", outputs=[output]), prose)}, MADE


def b215_cells_of_others() -> tuple[Files, str]:
    """Names tasks of other milestones, of all, of none there is, to put code where it is not looked for."""
    others = (f"# m05.1\n{HOSTILE}", f"# m0 4.1\n{HOSTILE}", f"# m04_attention.1\n{HOSTILE}", f"# ｍ04.1\n{HOSTILE}")
    return {BOOK: _notebook(*map(_code, others), _code(f"# m04.1, m05.1\n{HONEST}"))}, MADE


def b216_commands_in_cells() -> tuple[Files, str]:
    """Has lines and cells that IPython gives to a shell, another interpreter, or the file system."""
    lines = "!touch sw-attack\n%run other.py\n%%bash\ntouch sw-attack\n"
    cells = (f"%%bash\n# m04.1\ntouch sw-attack\n{HONEST}", "%%writefile m04_attention.py\nx = 1")
    return {BOOK: _notebook(*map(_code, cells), _code(f"# m04.1\n!touch sw-attack\n%run other.py\n{HONEST}"))} | {
        "other.py": lines.encode()
    }, MADE


def b217_quotes_without_end() -> tuple[Files, str]:
    """Has a text whose quotes are opened twelve thousand times, for a reader that looks for their ends each time."""
    text = "'''\n" + "\\'''\n" * 12_000 + "\\"
    return {BOOK: _notebook(_code(f"# m04.1\n{text}"))}, f"{text}\n"


def b218_two_that_hold_work() -> tuple[Files, str]:
    """Lays a right notebook beside another module, so that one is graded here and the other there."""
    return {BOOK: _notebook(_code(f"# m04.1\n{HONEST}")), f"{NAME}.py": b"def causal_mask(seq):\n    return 7\n"}, (
        f"exercises/{NAME}.py and exercises/{BOOK} both hold work, and neither is guessed"
    )


def b219_values_of_other_kinds() -> tuple[Files, str]:
    """Has numbers, lists and nothing where cells and their texts belong."""
    return {BOOK: _notebook(_code(f"# m04.1\n{HONEST}"), _code([["x"]]), {"cell_type": None}, 7)}, (
        f"exercises/{BOOK} cannot be taken: cell 2 of it has no text"
    )


def b219_names_that_a_page_obeys() -> tuple[Files, str]:
    """Defines twice what it calls by letters that turn the reading order round, for the sentence that names it."""
    text = "def \u202ecausal():\n    pass\ndef ﷽():\n    pass"
    return {BOOK: _notebook(_code(f"# m04.1\n{text}"), _code(f"# m04.2\n{text}"))}, f"{text}\n\n\n{text}\n"


def _code(source: Any, **more: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": source} | more


def _notebook(*cells: Any, **more: Any) -> bytes:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)} | more).encode()


ALL = [thing for name, thing in sorted(globals().items()) if name[:1] == "b" and name[1:3].isdigit()]
