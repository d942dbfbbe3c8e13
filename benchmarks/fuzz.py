"""`nox -s fuzz [-- --minutes N]`: random bytes, guided by coverage, against everything that reads what others wrote.

Thirteen doors: a frame on the channel, the content of a message as JSON text and as a tree of nodes, the file of a
result record, an archive that a student hands in, the metadata of a platform's export and the names in one, a table, a
folder and a commit as git stores them, and the files of a student's progress, of a class and of a course. Nothing but
the door's own errors may come out, within a second and 64 MB for each input. Atheris (libFuzzer) keeps inputs that
reach new lines; what it finds is kept in a folder and named. Runs outside of CI: minutes tell more than seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import gzip
import io
import json
import math
import os
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOUND = Path(".scratchwork/fuzz")
SECONDS, MEGABYTES = 1.0, 64  # for one input
LONGEST = 8192  # bytes of an input: enough for every rule, and thousands of inputs a second

if __name__ == "__main__":
    try:
        import atheris
    except ImportError:
        sys.exit("fuzz: this needs atheris (python -m pip install atheris; Linux and macOS, Python 3.11 to 3.13).")
    with atheris.instrument_imports(include=["grader.sandbox.inside.wire", "grader.sandbox.conversation", "grader"]):
        from grader import course, files, progress, record, schema, submission, syllabus, tables
        from grader.classroom.book import standing_json
        from grader.classroom.intake import archives, git_trees, layout, lms_exports, metadata, roster, trees
        from grader.classroom.intake.platforms import whose
        from grader.reports.marks import tasks_csv
        from grader.reports.pages import class_report
        from grader.sandbox import conversation
        from grader.sandbox.inside import wire
else:
    from grader import course, files, progress, record, schema, submission, syllabus, tables
    from grader.classroom.book import standing_json
    from grader.classroom.intake import archives, git_trees, layout, lms_exports, metadata, roster, trees
    from grader.classroom.intake.platforms import whose
    from grader.reports.marks import tasks_csv
    from grader.reports.pages import class_report
    from grader.sandbox import conversation
    from grader.sandbox.inside import wire

from grader.sandbox.errors import StudentError, WorkerLost  # noqa: E402


class Silent:
    """A transport to a worker that never says anything by itself."""

    def exchange(self, node: Any, buffers: list[Any], answer: Any) -> Any:
        """Nobody answers."""
        raise WorkerLost(exit_code=1)


def frame(data: bytes) -> None:
    """Read raw bytes as a worker's message, and what it carries."""
    read, write = os.pipe()
    try:
        os.write(write, data)
        os.close(write)
        with contextlib.suppress(wire.WireError, EOFError):
            content(*wire.Channel(read, read, wire.MAX_ANSWER).receive())
    finally:
        os.close(read)


def message(data: bytes) -> None:
    """Read the bytes after the first two as JSON, with as many small buffers as those two say, and what it carries."""
    buffers = [bytearray(size % 64) for size in data[:2] for _ in range(size % 4)]
    with contextlib.suppress(wire.WireError):
        content(wire.parse(data[2:]), buffers)


KINDS = ["tuple", "dict", "set", "frozenset", "bytes", "buffer", "tensor", "array", "scalar", "dtype", "device"]
KINDS += ["handle", "callback", "ok", "error", "ask"]


def tree(data: bytes) -> None:
    """Grow a message out of the bytes, node by node, most of them nearly right: text rarely mutates into such."""
    give = atheris.FuzzedDataProvider(data)
    buffers = [bytearray(give.ConsumeBytes(give.ConsumeIntInRange(0, 40))) for _ in range(give.ConsumeIntInRange(0, 3))]
    node = {give.PickValueInList(["ok", "ok", "ask", "error"]): grown(give, 0)}
    with contextlib.suppress(wire.WireError):
        content(wire.parse(json.dumps(node).encode()), buffers)


def grown(give: Any, depth: int) -> Any:
    """Return a node grown out of what `give` still has."""
    match give.ConsumeIntInRange(0, 9 if depth < 60 else 4):
        case 0:
            return give.PickValueInList(
                [None, True, False, -1, 0, 1, 2, 2**63, 10**400, 1.5, math.inf, math.nan, "", "m"]
            )
        case 1:
            return give.ConsumeInt(9)
        case 2:
            return give.ConsumeUnicode(20)
        case 3:
            return give.PickValueInList([*wire.TORCH_DTYPES, "cpu", "cuda:9", "meta"])
        case 4:
            return [give.ConsumeIntInRange(-1, 6) for _ in range(give.ConsumeIntInRange(0, 5))]
        case 5:
            sizes = [give.ConsumeIntInRange(-1, 4) for _ in range(give.ConsumeIntInRange(0, 18))]
            value = [give.ConsumeIntInRange(-1, 3), give.PickValueInList(wire.TORCH_DTYPES), sizes]
            return {give.PickValueInList(["tensor", "array", "scalar"]): value}
        case 6:
            pairs = [[grown(give, depth + 1), grown(give, depth + 1)] for _ in range(give.ConsumeIntInRange(0, 3))]
            return {"dict": pairs}
        case 7:
            fields = ["kind", "number", "args", "kwargs", "bases", "text", "frames", "x"]
            return {name: grown(give, depth + 1) for name in fields[: give.ConsumeIntInRange(0, 8)]}
        case 8:
            return {give.PickValueInList(KINDS): grown(give, depth + 1)}
    return [grown(give, depth + 1) for _ in range(give.ConsumeIntInRange(0, 4))]


def content(node: Any, buffers: list[bytearray]) -> None:
    """Take a message as the reply to a request and as a question; what is a value can be sent again."""
    judge = conversation.Conversation(Silent())
    judge._served = [
        conversation.Callback(lambda *args: [*args], lambda *args, **kwargs: (args, kwargs)),
        conversation.Items(iter([1, 2])),
    ]
    asked = node["ask"] if isinstance(node, dict) and "ask" in node else node
    with contextlib.suppress(WorkerLost, wire.WireError):
        judge._answer(asked, [bytearray(buffer) for buffer in buffers])
    with contextlib.suppress(WorkerLost, StudentError):
        value = judge.value(node, buffers)
        again: list[Any] = []
        with contextlib.suppress(wire.WireError):  # a tuple that was no list before lies one level deeper
            json.dumps(wire.encode(value, again, judge._refer_out))


def result_record(data: bytes) -> None:
    """Read bytes as the file of a result record; one that is accepted can be written, and says the same."""
    with contextlib.suppress(ValueError):
        made = record.from_json(files.parse_json(data))
        plain = record.to_json(made)
        record.validate(plain)
        assert record.from_json(plain) == made


COURSE = syllabus.load()
ADA = standing_json.Student("s001", "Ada Lovelace", "ada@x.org")
CLASS = roster.Roster((ADA,), {"s001": roster.Keys("ada-l", "12345", ("Team 1",))})
SMALL = archives.ArchiveLimits(entries=1000, directory=64 * 1024, unpacked=1024 * 1024)


def archive(data: bytes) -> None:
    """List bytes as an archive, and take the modules in it; what cannot be taken is a sentence."""
    with contextlib.suppress(trees.TreeError, submission.SubmissionError), contextlib.ExitStack() as stack:
        made = archives.archive_tree(io.BytesIO(data), "x.zip", SMALL, stack)
        taken, _, _ = layout.take_tree(made, COURSE, 1)
        assert all(len(source) <= COURSE.max_source_bytes for source in taken.sources.values())


def claims(data: bytes) -> None:
    """Read bytes as a platform's metadata: each record is plain texts, or has a problem."""
    with contextlib.suppress(metadata.MetadataError):
        for each in metadata.records(data).values():
            lms_exports.gradescope_time(each.created_at)
            assert all(len(text) <= metadata.TEXT for person in each.people for text in person.values())


def downloads(data: bytes) -> None:
    """Read lines as the names of a platform's download; each submission is one person's, or is said not to be."""
    names = data.decode("utf-8", "replace").split("\n")
    entries = [trees.Entry(tuple(part for part in name.split("/") if part)) for name in names]
    tree = trees.Tree("x.zip!", [entry for entry in entries if entry.path])
    found = whose.exported(tree, "hw-submissions", COURSE, CLASS, [], True)
    for each in found[0] if found else ():
        assert each.unclear or each.claim.shown or each.student.id


def table(data: bytes) -> None:
    """Read bytes as a table; what PHP or the RFC writes has cells, and anything else is refused in a sentence."""
    with contextlib.suppress(tables.NoTable, csv.Error):
        rows, parted = tables.rows(tables.decoded(data))
        assert all(row.cells and row.line >= 0 for row in rows) and len(parted) == 1


def git_folder(data: bytes) -> None:
    """Read bytes as a folder in git's store; one that is accepted has each name once, and says exactly these bytes."""
    with contextlib.suppress(ValueError):
        entries = git_trees.parse_tree(data, 20)
        assert len({each.name for each in entries}) == len(entries)
        told = ((f"{each.mode} {each.name}\0".encode("utf-8", "surrogateescape"), each.oid) for each in entries)
        assert b"".join(head + bytes.fromhex(oid) for head, oid in told) == data


def git_commit(data: bytes) -> None:
    """Read bytes as a commit in git's store; one that is accepted begins with what it is said to name."""
    with contextlib.suppress(ValueError):
        made = git_trees.parse_commit(data, 40)
        told = [f"tree {made.tree}\n", *(f"parent {each}\n" for each in made.parents), "author "]
        assert data.startswith("".join(told).encode()[:-1])


def kept_progress(data: bytes) -> None:
    """Read bytes as a progress file: what is sound in it is sound as a whole, and every hint can be shown."""
    with contextlib.suppress(ValueError):
        state, _ = progress.readable(files.parse_json(data))
        assert progress.readable(state) == (state, [])
        assert all(0 <= shown <= progress.MOST_HINTS for shown in state["hints"].values())


def class_standing(data: bytes) -> None:
    """Read bytes as a class's JSON file: what is accepted can be written and shown."""
    with contextlib.suppress(ValueError, standing_json.StandingError):
        made = standing_json.from_json(files.parse_json(data))
        standing_json.render(made)
        tasks_csv.render(made)
        class_report.render(made, datetime.now(UTC))


def course_file(data: bytes) -> None:
    """Read bytes as a course: what is accepted has points for every task, and a penalty at every moment."""
    with contextlib.suppress(course.CourseError, UnicodeDecodeError):
        made = course.read(data.decode("utf-8"), "course.toml", COURSE)
        for milestone in made.syllabus(COURSE).milestones:
            assert milestone.points > 0
            assert made.penalty(milestone.id, 1.0, datetime.now(UTC)) <= 1


DOORS: tuple[Callable[[bytes], None], ...] = (
    frame, message, tree, result_record, archive, claims, git_folder, git_commit, kept_progress, class_standing,
    course_file, downloads, table,
)  # fmt: skip


def one_input(data: bytes) -> None:
    """Hold one input to its limits: the first byte chooses the door. Raises MemoryError or TimeoutError beyond them."""
    if not data:
        return
    before, started = peak_megabytes(), time.process_time()
    DOORS[data[0] % len(DOORS)](bytes(data[1:]))
    if time.process_time() - started > SECONDS:
        raise TimeoutError(f"{len(data)} bytes took {time.process_time() - started:.1f} s to read")
    if peak_megabytes() - before > MEGABYTES:
        raise MemoryError(f"{len(data)} bytes took {peak_megabytes() - before:.0f} MB to read")


def peak_megabytes() -> float:
    """Return the most memory that this process has had."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if sys.platform == "darwin" else 2**10)


def seeds() -> list[bytes]:
    """Return an input for each kind of value and message, to start from."""
    import numpy
    import torch

    values: list[Any] = [
        None, True, 3, 2**70, 1.5, "text", b"bytes", b"x" * 5000, [1, 2], (1, "a"), {"a": [1], 2: None}, {1, 2},
        frozenset({"a"}), torch.arange(6).reshape(2, 3), torch.zeros(2, dtype=torch.bfloat16), torch.float32,
        torch.device("cpu"), numpy.arange(3), numpy.float32(2), [[[[]]]], {"k": (torch.ones(1), {b"x": {3}})},
    ]  # fmt: skip
    found: list[bytes] = []
    for value in values:
        buffers: list[Any] = []
        node = wire.encode(value, buffers, lambda other: {"handle": [1, "a.b", True]})
        for sent in ({"ok": node}, {"ask": wire.encode({"kind": "callback", "number": 0, "args": [], "kwargs": {}}, [],
                                                      lambda other: {})}):  # fmt: skip
            read, write = os.pipe()
            wire.Channel(read, write).send(sent, buffers)
            os.close(write)
            with open(read, "rb") as file:
                found.append(b"\0" + file.read())
            found.append(b"\1\0\0" + json.dumps(sent).encode())
    error = {"error": {"kind": "ValueError", "bases": ["ValueError"], "text": "no", "frames": [["m04.py", 3, "f"]]}}
    found.append(b"\1\0\0" + json.dumps(error).encode())
    found += [b"\1\0\0" + json.dumps({"ok": {"handle": [3, "torch.nn.Linear", True]}}).encode()]
    check = record.Check(
        "test_a", "A.", record.FAILED, ["value"], 0.1, "No.", "a", None, [record.Frame("a", 1, "f", "x")]
    )
    task = record.Task("m04.1", "One", 2, 0, [check])
    milestone = record.Milestone("m04_attention", "Attention", [task], notes=["A note."])
    made = record.Record("0", "x", "0", "cpu", "bubblewrap", milestones=[milestone])
    found += [b"\2" + os.urandom(200) for _ in range(20)]
    found += [b"\4" + packed for packed in archive_seeds()]
    people = "  - &a\n    :name: Anna\n    :sid: a1\n    :email: a@x.org\n  - *a\n"
    found.append(f"\5submission_1:\n  :submitters:\n{people}  :created_at: 2026-03-01 09:30:00 +01:00\n".encode())
    modes = [mode.encode() for mode in (git_trees.FILE, git_trees.LINK, git_trees.SUBMODULE, git_trees.FOLDER)]
    found.append(b"\6" + b"".join(mode + b" m%02d.py\0" % place + bytes(20) for place, mode in enumerate(modes)))
    who = "author A <a@x.org> 1 +0000\ncommitter A <a@x.org> 1 +0000\n"
    found.append(f"\7tree {'1' * 40}\nparent {'2' * 40}\n{who}gpgsig x\n y\n\nWork\n".encode())
    plain = record.to_json(made)
    home = {"m04_attention": {"key": "k", "record": plain["milestones"][0]}}
    state = {"schema": progress.SCHEMA, "submissions": {"/x": home}, "hints": {"m04.1": 2}}
    person = standing_json.Student("a", "A", "a@x.org")
    student = standing_json.Standing(person, {milestone.id: milestone}, {"m04_attention": 1.0})
    column = standing_json.Column("m04_attention", "Attention", 2.0, "2026-03-01T23:59:00+01:00")
    a_class = standing_json.render(standing_json.ClassResult("C", [column], [student], notes=["A note."]))
    toml = '[course]\nname = "C"\nmilestones = ["m00"]\ntime_zone = "Europe/Berlin"\n[late]\nper_day = 0.1\n'
    toml += '[[milestone]]\nid = "m00"\npoints = 5\ndue = 2026-10-12T23:59:00\n'
    found += [b"\10" + json.dumps(state).encode(), b"\11" + a_class.encode(), b"\12" + toml.encode()]
    names = ["lovelaceada_LATE_12345_9_m00_warmup-1.py", "Team 1_7_assignsubmission_file/m00_warmup.py"]
    names += [
        "HW_s001_attempt_2026-03-01-21-10-05_x.zip",
        "5-9 - s001 - Ada- Mar 1, 2026 911 PM - x.zip",
        "hw-ada-l/x.py",
    ]
    found += [b"\13" + name.encode() for name in names]
    found.append(b'\14sep=;\nname;id\n"Dag \\"D"" Berg";7\n')
    return [*found, b"\3" + json.dumps(plain).encode()]


def archive_seeds() -> list[bytes]:
    """Return an archive of each kind, with a long name in it."""
    name, found = "x" * 150 + "/m00_warmup.py", []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(name, "anna")
    found.append(packed.getvalue())
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=kind) as made_tar:
            info = tarfile.TarInfo(name)
            info.size = 4
            made_tar.addfile(info, io.BytesIO(b"anna"))
        found += [packed.getvalue()[:4096], gzip.compress(packed.getvalue())]
    return found


def words() -> list[str]:
    """Return what inputs are made of: the keys and names of the formats."""
    kinds = ["tuple", "dict", "set", "frozenset", "bytes", "buffer", "tensor", "array", "scalar", "dtype", "device"]
    kinds += ["handle", "ok", "error", "ask", "stop", "kind", "number", "args", "kwargs", "callback", "SCR1"]
    kinds += [*wire.TORCH_DTYPES, *record.OUTCOMES]
    parts = [schema.load(schema.RECORD), *schema.load(schema.RECORD)["$defs"].values()]
    kinds += [
        ":submitters:",
        ":created_at:",
        ":name:",
        ":sid:",
        "&a",
        "*a",
        "ustar",
        "m00_warmup.py",
        ".git",
        "..",
        "tree ",
        "parent ",
        "100644 ",
        "40000 ",
        "PK\\x05\\x06",
    ]
    return [*kinds, *(name for part in parts for name in part["properties"]), "NaN", "1e999", "[[[[[[[[", "{\\x22"]


def main(arguments: list[str]) -> None:
    """Fuzz for some minutes; libFuzzer ends the process, with exit code 0 when nothing was found."""
    options = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    options.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    options.add_argument("--seed", type=int, default=0, help="libFuzzer's seed; 0: a new one each time")
    asked = options.parse_args(arguments)
    FOUND.mkdir(parents=True, exist_ok=True)
    corpus = tempfile.mkdtemp(prefix="scratchwork-fuzz-")
    for number, seed in enumerate(seeds()):
        Path(corpus, f"seed{number}").write_bytes(seed)
    dictionary = Path(corpus + ".dict")
    dictionary.write_text("\n".join(f'"{word}"' for word in words()) + "\n")
    flags = [
        f"-max_total_time={max(1, round(asked.minutes * 60))}", f"-max_len={LONGEST}", f"-seed={asked.seed}",
        f"-dict={dictionary}", f"-artifact_prefix={FOUND}/", "-timeout=10", "-rss_limit_mb=2048",
        "-print_final_stats=1", "-print_pcs=0", "-verbosity=1",
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *flags, corpus], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
