"""Files that lie directly in a class's folder, beside the students' folders and archives: none is passed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from grader.safe_text import one_line
from grader.submission import NOTEBOOK, SOURCE, module_files, resembles
from grader.syllabus import Syllabus

from .archives import is_unreadable_kind, stem, unreadable_stem
from .layout import holds_anything, parts_of
from .trees import Tree, beneath


@dataclass
class Loose:
    """What lies loose."""

    unread: list[tuple[str, str]] = field(default_factory=list)  # archives of other kinds: whose, and as it is shown
    work: list[str] = field(default_factory=list)  # somebody's modules, and nothing says whose
    code: list[str] = field(default_factory=list)  # and other code
    foreign: list[str] = field(default_factory=list)  # what in a platform's download has a name of another kind

    @property
    def unclear(self) -> str:
        """The sentence for work that is nobody's, or an empty string."""
        if self.foreign:
            was, it = ("were", "them") if len(self.foreign) > 1 else ("was", "it")
            return (
                f"{_first(self.foreign)} {was} not taken, since the rest of the download is named in another way: hand "
                f"{it} over beside the download, in a class's folder."
            )
        if not self.work:
            return ""
        lie = "lie" if len(self.work) > 1 else "lies"
        return (
            f"{_first(self.work)} {lie} loose beside the students' folders, and nothing says whose; put each student's "
            "files into a folder that is named after the student."
        )

    @property
    def notes(self) -> list[str]:
        """What else is said, one sentence each."""
        return [f"{_first(self.code)} was not taken: loose files are nobody's."] if self.code else []


def loose_in(tree: Tree, known: Callable[[str], bool], syllabus: Syllabus, of_a_download: bool = False) -> Loose:
    """Return what lies loose in a class's folder; `known` tells whether a name is somebody's on the roster.

    In what is left of a platform's download folders and archives are loose as well: no scheme says whose they are.
    """
    found = Loose()
    if of_a_download:
        found.foreign = [
            part.shown for part in parts_of(tree) if part.tree is None or holds_anything(part.tree, syllabus)
        ]
    modules = module_files(syllabus)
    for entry in tree.files:
        name, shown = PurePosixPath(entry.name), beneath(tree.shown, entry.name)
        if stem(entry.name):
            continue
        if is_unreadable_kind(entry.name):
            found.unread.append((unreadable_stem(entry.name), shown))
        elif name.suffix.lower() in (SOURCE, NOTEBOOK):
            work = entry.name in modules or known(name.stem) or resembles(entry.name, syllabus)
            (found.work if work else found.code).append(shown)
    if of_a_download:
        found.foreign, found.work = found.foreign + found.work, []
    return found


def _first(names: list[str]) -> str:
    shown = ", ".join(one_line(name, 120) for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
