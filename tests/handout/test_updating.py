"""An update leaves a student's work alone, puts the grader right, and writes nowhere else."""

from __future__ import annotations

import hashlib

import pytest
import support
import systems

from grader.handout import contents, folder


def made(**files):
    """Return a handout of a few small files; in names __ stands for / and _py for .py."""
    plain = {name.replace("__", "/").replace("_py", ".py"): text.encode() for name, text in files.items()}
    handout = contents.Handout("A course", "1", support.COURSE, files=plain)
    handout.files[contents.MANIFEST] = contents.manifest(handout).encode()
    return handout


@pytest.fixture
def copy(tmp_path):
    """A handout in a folder."""
    folder.write(
        made(exercises__a_py="stub a", exercises__b_py="stub b", grader__x_py="x 1", README="read"), tmp_path / "c"
    )
    return tmp_path / "c"


def test_an_update_replaces_what_nobody_changed(copy):
    """Untouched files become the new ones, whatever git has made of their line ends."""
    (copy / "exercises/a.py").write_bytes(b"stub a\r\n".rstrip(b"\r\n"))
    result = folder.update(
        made(exercises__a_py="stub A", exercises__b_py="stub b", grader__x_py="x 2", README="read"), copy
    )

    assert (copy / "exercises/a.py").read_text() == "stub A" and (copy / "grader/x.py").read_text() == "x 2"
    assert result.written == ["exercises/a.py", "grader/x.py"] and result.notes == [] and result.kept == []


def test_an_update_keeps_a_students_work(copy):
    """A changed stub stays; where the course changed it too, the new stub lies beside it and is named."""
    (copy / "exercises/a.py").write_text("my answer")
    (copy / "exercises/b.py").write_text("my other answer")
    result = folder.update(
        made(exercises__a_py="stub A", exercises__b_py="stub b", grader__x_py="x 1", README="read"), copy
    )

    assert (copy / "exercises/a.py").read_text() == "my answer" and (
        copy / "exercises/a.py.new"
    ).read_text() == "stub A"
    assert (copy / "exercises/b.py").read_text() == "my other answer" and not (copy / "exercises/b.py.new").exists()
    assert result.kept == ["exercises/a.py", "exercises/b.py"] and len(result.notes) == 1


def test_an_update_puts_the_grader_right(copy):
    """What somebody changed in the grader is the course's own again, and is named."""
    (copy / "grader/x.py").write_text("always passes")
    result = folder.update(
        made(exercises__a_py="stub a", exercises__b_py="stub b", grader__x_py="x 1", README="read"), copy
    )

    assert (copy / "grader/x.py").read_text() == "x 1"
    assert result.notes == ["grader/x.py had been changed, and is the course's own again."]


def test_an_update_removes_what_the_course_no_longer_has(copy):
    """Files that are gone from the course go, but for those that a student has worked in."""
    (copy / "exercises/a.py").write_text("my answer")
    result = folder.update(made(grader__y_py="y"), copy)

    assert sorted(p.name for p in copy.rglob("*") if p.is_file()) == ["a.py", "handout.toml", "y.py"]
    assert result.removed == ["README", "exercises/b.py", "grader/x.py"] and len(result.notes) == 1


@systems.links
def test_an_update_writes_through_no_link(copy, tmp_path):
    """A symbolic link in the place of a file or a folder stops the update."""
    (copy / "exercises/a.py").unlink()
    (copy / "exercises/a.py").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(contents.HandoutError, match="symbolic link"):
        folder.update(made(exercises__a_py="stub A"), copy)
    assert not (tmp_path / "elsewhere").exists()


def test_a_manifest_cannot_name_files_outside(copy):
    """A manifest that somebody has rewritten removes nothing outside of its folder."""
    other = copy.parent / "other.txt"
    other.write_text("theirs")
    digest = hashlib.sha256(b"theirs").hexdigest()
    text = (copy / contents.MANIFEST).read_text()
    (copy / contents.MANIFEST).write_text(text + f'"../other.txt" = "{digest}"\n')

    with pytest.raises(contents.HandoutError, match="outside"):
        folder.update(made(grader__x_py="x 1"), copy)
    assert other.read_text() == "theirs"


def test_other_peoples_folders_are_refused(copy, tmp_path, capsys):
    """A folder with anything in it, a file, a handout without --update, and an --update of no handout are refused."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / contents.MANIFEST).write_text("[files]\n")
    handout = made(README="read")

    for action, place, says in (
        (folder.write, "full", "is not empty"),
        (folder.write, "file", "is a file"),
        (folder.write, "c", "a handout already; --update"),
        (folder.update, "full", "is no handout: it has no handout.toml"),
        (folder.update, "odd", "is no handout: its handout.toml cannot be used"),
    ):
        with pytest.raises(contents.HandoutError, match=says):
            action(handout, tmp_path / place)
    assert (tmp_path / "full" / "thesis.txt").read_text() == (tmp_path / "file").read_text() == "mine"
