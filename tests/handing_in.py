"""What students and platforms hand in, as the tests build it: folders, archives, exports."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from grader import syllabus
from grader.classroom.book.standing import Student
from grader.classroom.intake.collecting import Collected, collect_class
from grader.classroom.intake.roster import Roster

COURSE = syllabus.load()
WARMUP, ATTENTION = "m00_warmup.py", "m04_attention.py"
ANNA = Student("a1", "Anna Müller", "anna@example.org")
BOB = Student("b2", "Bob O'Neil", "bob@example.org")
CARL = Student("c3", "Carl", "carl@example.org")
CLASS = Roster((ANNA, BOB, CARL))


def folder(path: Path, files: dict[str, str | bytes]) -> Path:
    """Write files below a folder and return it."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    path.mkdir(parents=True, exist_ok=True)
    return path


def zipped(files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def tarred(files: dict[str, str | bytes], mode: str = "w:gz") -> bytes:
    """Return a tar archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as archive:
        for name, content in files.items():
            content = content if isinstance(content, bytes) else content.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return data.getvalue()


def tar_members(*members: tarfile.TarInfo) -> bytes:
    """Return a tar archive of members without content, as they are."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for member in members:
            archive.addfile(member)
    return data.getvalue()


GRADESCOPE = """\
---
submission_101:
  :submitters:
  - :name: Anna Müller
    :sid: a1
    :email: anna@example.org
  :created_at: 2026-03-01 09:30:00.123456789 Z
  :score: 12.0
  :status: processed
  :results:
    tests:
    - name: "m00: softmax"
      output: ":submitters: nobody\\n  :created_at: never\\e[31m"
    extra: !ruby/object:Evil {command: "rm -rf"}
  :history:
  - :created_at: 2020-01-01 00:00:00 Z
    :submitters:
    - :name: Somebody Else
submission_102:
  :created_at: &1 2026-03-02 23:59:59 +02:00
  :submitters:
  - &2
    :name: Bob O'Neil
    :sid:
    :email: bob@example.org
  - :name: Carl
    :sid: c3
    :email: carl@example.org
submission_103:
  :submitters:
  - :name: Dora
    :sid: d4
    :email: dora@example.org
  :created_at: !ruby/object:ActiveSupport::TimeWithZone
    utc: 2026-03-03 08:00:00.000000000 Z
    zone: whatever
"""


def collect(*sources, roster: Roster | None = CLASS, **options) -> Collected:
    """Take in sources with this course's modules."""
    return collect_class(sources, COURSE, roster, **options)


def modules(collected: Collected) -> dict[str, dict[str, str]]:
    """Return student -> module's number -> source, of what was taken."""
    return {
        each.student.id: {name[:3]: source.decode() for name, source in each.submission.sources.items()}
        for each in collected.handed_in
    }


def problems(collected: Collected) -> dict[str, str]:
    """Return student -> problem, of what was not."""
    return {each.student.id: each.problem for each in collected.handed_in if each.problem}
