"""What a handout is made of: every file's path and bytes, worked out from this repository and nothing else."""

from __future__ import annotations

import ast
import functools
import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from grader.capstone.parts import NEEDED
from grader.course import Course
from grader.judge.fingerprint import grader_version
from grader.own_rooms import TEXTS, packed
from grader.sandbox.inside.facts import untouched
from grader.serving import parts as serving
from grader.stubs import KEPT
from grader.syllabus import ROOM_FILE, Milestone, Syllabus

from . import manuscript, withholding
from .pieces import Source

REPOSITORY = Path(__file__).resolve().parents[2]
TEMPLATE = Path(__file__).parent / "template"
MANIFEST = "handout.toml"
SCHEMA = "scratchwork-handout/1"
# Sessions and commands that a course without these milestones has no use for.
NEEDING = {
    "capstone": {*NEEDED},
    "chat": {*NEEDED},
    "litgpt": {"m15_llama"},
    "ask": {"m18_rag"},
    "serve": {*serving.NEEDED},
}
SESSIONS = ("env", "grade", "watch", "python", "notebook", "lab", *NEEDING)  # of the noxfile
# Modules below grader/commands.
COMMANDS = ("grade", "watch", "listing", "hint", "compare", "shell", "reset", "notebook", "convert", *NEEDING)
GROUPS = ("page", "notebook")  # of packages that a few of these sessions install
PULL_REQUESTS = ".github/workflows/pull-requests.yml"
TRIMMED = ("grader.suites", "grader.judge.probes")  # packages of which only what the checks need is handed out
WHOLE = ("grader.sandbox",)  # a package whose files are read by path, where no import tells that they are needed
# What `convert` makes a page of a student's own record from; the instructors' pages stay here.
TEMPLATES = [
    f"grader/reports/pages/templates/{name}" for name in ("base.html", "milestone.html", "record.html", "style.css")
]
ASSETS = (".toml", ".ini", ".json")  # beside a module that is handed out


class HandoutError(Exception):
    """No handout can be made; the text is one sentence."""


@dataclass
class Handout:
    """A student's repository, not yet written anywhere."""

    course: str
    grader: str  # the version and hash of the grader that it was made from
    syllabus: Syllabus
    withheld: dict[str, int] = field(default_factory=dict)  # task -> checks
    files: dict[str, bytes] = field(default_factory=dict)  # path with forward slashes -> content

    @property
    def size(self) -> int:
        """All bytes."""
        return sum(map(len, self.files.values()))


def build(whole: Syllabus, course: Course | None, withheld: dict[str, int], pull_requests: bool = False) -> Handout:
    """Return the handout of a course, and what grades pull requests on it. Raises HandoutError and CourseError."""
    chosen = course.syllabus(whole) if course else whole
    handout = Handout(chosen.name, grader_version(packed(chosen)), chosen, withheld)
    ids = {milestone.id for milestone in chosen.milestones}
    unused = {name for name, needed in NEEDING.items() if not needed <= ids}
    commands = [name for name in COMMANDS if name not in unused]
    commands += ["pull_request"] if pull_requests else []
    texts = _exercises(chosen, unused, ids == {milestone.id for milestone in whole.milestones}) | _pages(
        chosen, course, withheld, unused, pull_requests
    )
    texts |= _grader(chosen, withheld, commands)
    handout.files = {path: text.encode() for path, text in texts.items()} | _fixtures()
    handout.files[MANIFEST] = manifest(handout).encode()
    handout.files = dict(sorted(handout.files.items()))
    return handout


def manifest(handout: Handout) -> str:
    """Return what tells a handout from any other folder, and each file of it from what a student made of it."""
    lines = [
        "# Written with the course: what it was made from, and the SHA-256 of each of its files. Leave it as it is.",
        f'schema = "{SCHEMA}"',
        f"course = {manuscript._toml(handout.course)}",
        f'grader = "{handout.grader}"',
        "",
        "[files]",
        *(f'"{path}" = "{hashlib.sha256(data).hexdigest()}"' for path, data in sorted(handout.files.items())),
    ]
    return "\n".join(lines) + "\n"


def read_manifest(text: str) -> dict[str, str]:
    """Return the files and hashes of a handout's manifest. Raises HandoutError when it is none."""
    try:
        plain = tomllib.loads(text)
        files = plain["files"]
        if plain["schema"] != SCHEMA or not all(type(value) is str for value in files.values()):
            raise ValueError("another schema")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise HandoutError(f"its {MANIFEST} cannot be used ({error})") from None
    return {str(path): value for path, value in files.items()}


def _text(path: str | Path) -> str:
    try:
        return (REPOSITORY / path).read_text(encoding="utf-8")
    except OSError as error:
        raise HandoutError(f"{path} cannot be read ({(error.strerror or str(error)).lower()}).") from None


def _exercises(chosen: Syllabus, unused: set[str], whole: bool) -> dict[str, str]:
    page = manuscript.only_chosen_rows(_text("exercises/README.md"), chosen)
    if not whole:
        page = manuscript.without_pictures(page)  # the map shows all milestones
    texts = {"exercises/README.md": _named_for(page, chosen, unused)}
    for milestone in chosen.milestones:
        stub, guide = f"exercises/{milestone.id}.py", f"exercises/{milestone.id}.md"
        shown = str(milestone.stub) if milestone.own else stub
        texts[stub], texts[guide] = _text(shown), _text(milestone.guide if milestone.own else guide)
        try:
            fresh = untouched(ast.parse(texts[stub]))
        except SyntaxError:
            fresh = False
        if not fresh:
            raise HandoutError(f"{shown} is no longer a stub: something is written in it, and would be handed out.")
        texts[(KEPT / f"{milestone.id}.py").relative_to(REPOSITORY).as_posix()] = texts[stub]  # for `reset`
    return texts | _pictures(texts)


def _pictures(texts: dict[str, str]) -> dict[str, str]:
    """Return the pictures that these pages show; a guide that the course brings may show some of its own elsewhere."""
    shown = {path for page, text in texts.items() if page.endswith(".md") for path in manuscript.pictures(text)}
    paths = (f"exercises/{path}" for path in sorted(shown))
    return {path: _text(path) for path in paths if (REPOSITORY / path).is_file()}


def _pages(
    chosen: Syllabus, course: Course | None, withheld: dict[str, int], unused: set[str], pull_requests: bool
) -> dict[str, str]:
    said = ""
    if withheld:
        said = (
            f"\n\n{sum(withheld.values())} checks, of {', '.join(withheld)}, are not in this copy: "
            "they run on the course's own server, once you hand in. The report counts them as still to come."
        )
    readme = manuscript.filled(
        (TEMPLATE / "README.md").read_text(encoding="utf-8"),
        course=chosen.name,
        table=manuscript.table(chosen, course),
        late=manuscript.lateness(chosen, course),
        withheld=said,
        pulls=(TEMPLATE / "pull-requests.md").read_text(encoding="utf-8") if pull_requests else "",
    )
    readme = _named_for(readme, chosen, unused)
    texts = {"README.md": readme, "LICENSE": _text("LICENSE"), "constraints.txt": _text("constraints.txt")}
    texts |= {"noxfile.py": _noxfile(unused), "pyproject.toml": _pyproject()}
    for name, path in (
        ("AGENTS.md", "AGENTS.md"),
        ("grade.yml", ".github/workflows/grade.yml"),
        ("gitignore", ".gitignore"),
        ("gitattributes", ".gitattributes"),
    ):
        texts[path] = (TEMPLATE / name).read_text(encoding="utf-8")
    texts["AGENTS.md"] = _named_for(texts["AGENTS.md"], chosen, unused)
    if pull_requests:
        page = "docs/pull-requests.md says more; tests/test_workflows.py holds this file to it."
        workflow = _text(".github/workflows/grade.yml")
        texts[PULL_REQUESTS] = workflow.replace(page, "If you edit it, keep to that.")
    return texts


def _named_for(page: str, chosen: Syllabus, unused: set[str]) -> str:
    """Return a page whose examples name a milestone of this course, and sessions only that are offered."""
    lines = page.splitlines(keepends=True)
    calls = [f"{call} {name}" for name in unused for call in ("nox -s", "python -m grader")]
    page = "".join(line for line in lines if not any(call in line for call in calls))
    numbers = [milestone.number for milestone in chosen.milestones]
    if "m04" not in numbers:
        example = chosen.milestones[-1]
        page = page.replace("(m04, 4, attention or m04_attention)", f"({example.number} or {example.id})")
        page = page.replace("m04.2", example.tasks[-1].id).replace("m04", example.number)
    return page


def _noxfile(unused: set[str]) -> str:
    source = Source("noxfile", _text("noxfile.py"))
    wanted = set(SESSIONS) - unused
    dropped = set()
    for index, piece in enumerate(source.pieces):
        node = piece.node
        if isinstance(node, ast.FunctionDef) and node.name not in wanted and "@nox.session" in ast.unparse(node):
            dropped.add(index)
    return source.without(dropped)


def _pyproject() -> str:
    text = _text("pyproject.toml")
    start = text.index("[project]")
    end = text.find("\n[", start)
    project = text[start : end if end >= 0 else None].rstrip("\n")
    groups = [line for line in text.splitlines() if line.startswith(tuple(f"{name} = [" for name in GROUPS))]
    return "\n".join([project, "", "[dependency-groups] # of a few sessions", *groups, ""])


def _grader(chosen: Syllabus, withheld: dict[str, int], commands: list[str]) -> dict[str, str]:
    sources = dict(modules(REPOSITORY / "grader", "grader"))
    for milestone in chosen.own:
        sources |= _own_modules(milestone)
    trimmed = {name: source for name, source in sources.items() if name.startswith(TRIMMED)}
    texts = withholding.suites(trimmed, chosen, set(withheld))
    handed_out = {name: Source(name, text, sources[name].is_package) for name, text in texts.items()}
    others = {name: source for name, source in sources.items() if name not in trimmed} | handed_out
    roots = ["grader.__main__", "grader.judge.standalone", "grader.notebook"]
    roots += [f"grader.commands.{name}" for name in commands]
    roots += [name for name in others if name in handed_out or name.startswith(WHOLE)]
    if "capstone" in commands:
        roots += [name for name in others if name.startswith("grader.capstone")]
    files = {}
    for name in imported(others, roots):
        path = name.replace(".", "/")
        files[f"{path}/__init__.py" if others[name].is_package else f"{path}.py"] = others[name].text
    for folder in sorted({path.rpartition("/")[0] for path in files}):
        place = _place(folder, chosen)
        for asset in sorted(place.iterdir()):
            spare = place != REPOSITORY / folder and asset.suffix == ".toml"  # in a course's own room: mutants, notes
            if asset.suffix in ASSETS and asset.is_file() and not spare:
                files[f"{folder}/{asset.name}"] = _text(asset)
    files |= {path: _text(path) for path in TEMPLATES}
    files["grader/syllabus.toml"] = manuscript.syllabus_text(files["grader/syllabus.toml"], chosen)
    for milestone in chosen.milestones:
        path = f"grader/suites/{milestone.id}/{ROOM_FILE}"
        files[path] = manuscript.room_text(_text(milestone.room / ROOM_FILE), milestone, withheld)
    return files


def _place(folder: str, chosen: Syllabus) -> Path:
    """Return where a folder of the handout lies here."""
    for milestone in chosen.own:
        room = f"grader/suites/{milestone.id}"
        if folder == room or folder.startswith(f"{room}/"):
            return milestone.room / folder[len(room) + 1 :]
    return REPOSITORY / folder


def _own_modules(milestone: Milestone) -> dict[str, Source]:
    """Return the modules of a room that the course brings, as they are called where students find them."""
    package = f"grader.suites.{milestone.id}"
    found = modules.__wrapped__(milestone.room, package)  # a course's room may change while this runs
    return {name: source for name, source in found.items() if f"{name.removeprefix(f'{package}.')}.py" not in TEXTS}


@functools.cache
def modules(folder: Path, package: str) -> dict[str, Source]:
    """Return all Python modules of a package by their names."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join([package, *parts]).removesuffix(".__init__")
        found[name] = Source(name, path.read_text(encoding="utf-8"), is_package=path.name == "__init__.py")
    return found


def imported(sources: dict[str, Source], roots: Iterable[str]) -> list[str]:
    """Return the modules that some modules import, wherever in them it stands, with the packages they lie in."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name not in sources:
            continue
        found.add(name)
        waiting.append(name.rpartition(".")[0])
        waiting += _imports_of(sources[name])
    return sorted(found)


def _imports_of(source: Source) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = source.absolute(node)
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found


def _fixtures() -> dict[str, bytes]:
    from fixtures import manifest as data

    files = {}
    for name in ("__init__.py", "manifest.toml", ".gitattributes"):
        files[f"fixtures/{name}"] = (REPOSITORY / "fixtures" / name).read_bytes()
    for entry in data.read():
        content = (REPOSITORY / "fixtures" / entry.path).read_bytes()
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise HandoutError(f"fixtures/{entry.path} is not the file that its manifest states; restore it with git.")
        files[f"fixtures/{entry.path}"] = content
    return files
