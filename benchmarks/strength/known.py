"""What is known of a milestone, and of what: each part carries the hash of what it was measured on."""

from __future__ import annotations

import ast
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

from grader.syllabus import STRETCH

from .proofs import REPOSITORY, support

RESULTS = Path(__file__).resolve().parent / "results"


def load(milestone: str) -> dict[str, Any]:
    """Return what is known of a milestone."""
    path = RESULTS / f"{milestone}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def save(milestone: str, known: dict[str, Any]) -> None:
    """Keep what is known of a milestone."""
    text = json.dumps(known, indent=1, ensure_ascii=False, sort_keys=True)
    (RESULTS / f"{milestone}.json").write_text(text + "\n", encoding="utf-8")


def equivalent(milestone: str) -> dict[str, str]:
    """Return the generated mutants that are no mistake: name → reason."""
    return _reasons(support.PROOFS / milestone / "equivalent.toml")


def on_gpu(milestone: str) -> dict[str, str]:
    """Return the generated mutants that are a mistake on a GPU alone, and can't be seen without one: name → reason."""
    return _reasons(support.PROOFS / milestone / "gpu.toml")


def _reasons(path: Path) -> dict[str, str]:
    return dict(tomllib.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def mutants(milestone: str) -> list[dict[str, Any]]:
    """Return a milestone's written mutants."""
    path = support.PROOFS / milestone / "mutants.toml"
    return list(tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]) if path.is_file() else []


def key(milestone: str, *more: Path) -> str:
    """Return the hash of a milestone's solution, of what that is made of, of its checks, and of more files."""
    course, digest = support.COURSE, hashlib.sha256()
    entry = course.milestone(milestone)
    solutions = [REPOSITORY / "solutions" / f"{name}.py" for name in course.with_needs(entry)]
    suite = [path for path in entry.room.glob("*.py") if path.name != STRETCH]  # which no check asks
    for files in (solutions, suite):
        for definition in sorted(found for path in files for found in definitions(path)):
            digest.update(definition.encode() + b"\0")
    for path in more:
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:16]


def definitions(path: Path) -> list[str]:
    """Return what a module defines, each as text: in which file it stands, and from where it imports, is no change."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [ast.dump(node) for node in body if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]


def keys(milestone: str) -> dict[str, str]:
    """Return the present hash of each part.

    What is found of a mutant or an alternate stands beside a digest of its own, and that of a generated mutant under a
    name that says what was changed: to add one is no reason to grade all others again.
    """
    whole = key(milestone)
    degenerate = key(milestone, support.TESTS / "degenerate.py")
    return {
        **dict.fromkeys(("written", "generated", "alternates", "seeds", "tables", "only"), whole),
        "degenerate": degenerate,
    }


def digest(*texts: str) -> str:
    """Return a short digest of some texts."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def written(milestone: str, part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the written mutants that a part's findings are about: those that have not changed since."""
    known = part.get("of", {})
    return [mutant for mutant in mutants(milestone) if known.get(mutant["name"]) == mutant_digest(mutant)]


def mutant_digest(mutant: dict[str, Any]) -> str:
    """Return the digest of what a mutant changes, and of the check that is to reject it."""
    return digest(mutant["find"], mutant["replace"], mutant["check"])


def alternates(milestone: str, part: dict[str, Any]) -> list[Path]:
    """Return the alternates that a part's findings are about: those that have not changed since."""
    known = part.get("of", {})
    return [path for path in support.alternates(milestone) if known.get(path.stem) == alternate_digest(path)]


def alternate_digest(path: Path) -> str:
    """Return the digest of an alternate."""
    return digest(path.read_text(encoding="utf-8"))


def unfailed(known: dict[str, Any]) -> list[str]:
    """Return the checks that no mutant is known to fail."""
    failed = set(known.get("only", {}).get("rejects", {}))
    for part in ("written", "generated"):
        failed |= set(known.get(part, {}).get("fates", {}).values())
    return sorted(set(known.get("seeds", {}).get("checks", [])) - failed)
