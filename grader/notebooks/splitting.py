"""A module and its guide in pieces: what goes into one cell."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

_RAISED = re.compile(r'raise NotImplementedError\("([mx]\d\d\.\d+)"\)')
_SECTION = re.compile(r"## ([mx]\d\d\.\d+) ")

Pieces = list[tuple[tuple[str, ...], str]]


def owners(stub: str) -> dict[str, tuple[str, ...]]:
    """Return of which tasks each function and class of a stub is; what is of none is left out.

    Example: {"split_heads": ("m04.3",), "merge_heads": ("m04.3",)}.
    """
    found = {}
    for node in ast.parse(stub).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            tasks = _RAISED.findall(ast.get_source_segment(stub, node) or "")
            if tasks:
                found[node.name] = tuple(sorted(set(tasks), key=_order))
    return found


def pieces(source: str, owned: Mapping[str, tuple[str, ...]]) -> Pieces:
    """Return a module in pieces, in its order, each with the tasks that it is of; what is of none has none.

    Comments go with what follows them. Neighbours of the same tasks stay together.
    """
    lines = source.splitlines()
    found: Pieces = []
    start = 0
    body = ast.parse(source).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        end = node.end_lineno if following is not None else len(lines)
        text = "\n".join(lines[start:end])
        tasks = owned.get(getattr(node, "name", ""), ())
        if found and found[-1][0] == tasks:
            found[-1] = tasks, f"{found[-1][1]}\n{text}"
        else:
            found.append((tasks, text.strip("\n")))
        start = end or start
    return found


def sections(guide: str) -> list[tuple[str, str]]:
    """Return a guide in sections, each with the task that it is of or an empty string; the first is its beginning.

    A line of code that looks like a heading begins no section, and no fold is taken apart.
    """
    found: list[tuple[str, list[str]]] = [("", [])]
    fenced = folds = 0
    for line in guide.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            folds += line.count("<details") - line.count("</details>")
            if line.startswith("## ") and not folds:
                task = _SECTION.match(line)
                found.append((task[1] if task else "", []))
        found[-1][1].append(line)
    return [(task, "\n".join(lines).strip("\n")) for task, lines in found]


def _order(task: str) -> tuple[str, int]:
    head, _, number = task.partition(".")
    return head, int(number)
