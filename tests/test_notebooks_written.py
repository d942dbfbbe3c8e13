"""A milestone as a notebook: written from stub and guide, by a command that overwrites nothing."""

from __future__ import annotations

import json
import sys
import tomllib

import pytest
import support
from notebooks import code, filled_in, notebook

from grader import cli, course, practice, syllabus
from grader.commands.notebook import needed
from grader.handout import manuscript
from grader.notebooks import importing, reading, showing, splitting, writing
from grader.notebooks.overlay import Remembered
from grader.submission import NOTEBOOK_BYTES, collect

ADDRESS = "https://github.com/owner/name"


def written(milestone, address=""):
    """Return a milestone's notebook, parsed, and its file."""
    one = support.COURSE.milestone(milestone)
    text = writing.notebook(one, support.source("exercises", one.id), one.guide.read_text("utf-8"), address, needed())
    return json.loads(text), text


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_a_notebook_holds_the_stub_and_the_guide(milestone):
    """Its cells make the stub, word for word; its prose is the guide, each task's section before its code."""
    plain, text = written(milestone, ADDRESS)
    cells = ["".join(cell["source"]) for cell in plain["cells"]]
    guide = support.COURSE.milestone(milestone).guide.read_text("utf-8")
    module = reading.read(text.encode(), milestone[:3], support.COURSE.max_source_bytes)

    assert module.source.decode().split() == support.source("exercises", milestone).split() and module.said == []
    prose = [text for cell, text in zip(plain["cells"], cells, strict=True) if cell["cell_type"] == "markdown"]
    assert "\n\n".join(prose[1:]).split() == guide.split()
    for task in support.COURSE.milestone(milestone).tasks:
        section = next(number for number, text in enumerate(cells) if text.startswith(f"## {task.id} "))
        graded = [number for number, text in enumerate(cells) if text.startswith(f"%grade {task.id}\n")]
        written_in = [
            number for number, text in enumerate(cells) if task.id in reading.tasks_of(text.partition("\n")[0])
        ]
        assert len(graded) == 1 and section < graded[0]
        assert all(section < number < graded[0] for number in written_in if section < number)
        assert not written_in or max(written_in) < graded[0]


def test_a_notebook_is_one_by_its_own_schema():
    """nbformat, where it is installed, finds nothing to mend in it, with and without Colab's cell."""
    nbformat = pytest.importorskip("nbformat")
    for address in ("", ADDRESS):
        nbformat.validate(nbformat.reads(written("m04_attention", address)[1], as_version=4))


def test_colab_is_offered_where_an_address_is_known():
    """The badge opens the notebook from the course's repository, the first cell fetches it, and counts for nothing."""
    plain, _ = written("m04_attention", ADDRESS)
    head, first = ("".join(cell["source"]) for cell in plain["cells"][:2])

    assert "colab.research.google.com/github/owner/name/blob/HEAD/exercises/m04_attention.ipynb" in head
    assert f"git clone --quiet --depth 1 {ADDRESS} /content/course" in first and '"jaxtyping>=0.3"' in first
    assert "torch" not in first.replace("pytorch", "")
    assert "weaker isolation level" in first
    assert not any("colab" in "".join(cell["source"]).lower() for cell in written("m04_attention")[0]["cells"])


def test_the_address_is_the_courses(tmp_path):
    """A course's file names it, a handout carries it, and anything but an address on GitHub is refused."""
    text = '[course]\nname = "C"\nmilestones = ["m04"]\nrepository = {}\n'
    chosen = course.read(text.format(json.dumps(ADDRESS)), "c.toml", support.COURSE).syllabus(support.COURSE)

    assert chosen.repository == ADDRESS
    handed_out = manuscript.syllabus_text(syllabus.MANIFEST.read_text("utf-8"), chosen)
    assert tomllib.loads(handed_out)["course"]["repository"] == ADDRESS
    for wrong in ("https://evil.example/owner/name", "https://github.com/owner/name; rm -rf /", "https://github.com/a"):
        with pytest.raises(course.CourseError, match=r"course.repository is an address like"):
            course.read(text.format(json.dumps(wrong)), "c.toml", support.COURSE)


def test_the_command_overwrites_nothing(tmp_path, capsys):
    """A second call is refused with one sentence; --again keeps the old one beside the new, as often as it is asked."""
    folder = tmp_path / "exercises"
    folder.mkdir()
    (folder / "m04_attention.py").write_text(support.source("solutions", "m04_attention"))
    call = ["notebook", "m04", "--submission", str(folder)]

    assert cli.main(call) == 0
    first = capsys.readouterr().out
    path = folder / "m04_attention.ipynb"
    path.write_text("mine")
    assert cli.main(call) == 2
    said = capsys.readouterr().err
    assert path.read_text() == "mine" and said.count("\n") == 1 and "is there already" in said
    assert cli.main([*call, "--again"]) == 0 and cli.main([*call, "--again"]) == 0
    assert (folder / "m04_attention.ipynb.old").read_text() == "mine"
    assert (folder / "m04_attention.ipynb.old2").read_text() == path.read_text()
    assert "You have written in" in first and "m04_attention.py: bring that into the cells" in first


def test_a_section_is_no_line_of_code_and_no_part_of_a_fold():
    """What looks like a heading inside a block of code or a fold begins no section."""
    folded = "<details><summary>x</summary>\n## m04.1 no\n</details>"
    guide = f"# m\n\n```python\n## m04.1 no\n```\n{folded}\n## m04.1 Yes\ntext\n"

    assert [task for task, _ in splitting.sections(guide)] == ["", "m04.1"]


def over(remembered, data, saved=10.0):
    """Return the cells of a notebook as somebody has it before them."""
    made = remembered.over(data, saved, "m04")
    return [cell["source"] for cell in json.loads(made)["cells"]]


def test_what_was_run_since_the_save_lies_over_the_file():
    """By its id; a cell that was run before the save is as the save has it, and one that was deleted since is gone."""
    file = notebook(
        *({"cell_type": "code", "source": f"# m04.{number}\nold", "id": name} for number, name in ((1, "a"), (2, "b")))
    )
    remembered = Remembered()
    remembered.note("# m04.1\nearlier", "a", 5.0)
    remembered.note("# m04.3\ndeleted", "gone", 6.0)
    remembered.note("# m04.2\nnew", "b", 11.0)

    assert over(remembered, file) == ["# m04.1\nold", "# m04.2\nnew"]
    remembered.note("no longer a task", "b", 12.0)
    assert over(remembered, file) == ["# m04.1\nold", "no longer a task"]


def test_a_cell_that_is_not_saved_yet_comes_where_it_was_run():
    """After those of its task, which it may mend, else after the cell that was run before it; others don't."""
    file = notebook(
        *({"cell_type": "code", "source": text, "id": text[-1]} for text in ("# m04\na", "# m04.1 T\nb", "# m04.2\nc"))
    )
    remembered = Remembered()
    for text, name in (("# m04\nimports", "n1"), ("# m04.1\nagain", "n2"), ("x = 1", "n3"), ("# m04.9\nlast", "n4")):
        remembered.note(text, name, 11.0)

    assert over(remembered, file) == [
        "# m04\nimports",
        "# m04\na",
        "# m04.1 T\nb",
        "# m04.1\nagain",
        "# m04.9\nlast",
        "# m04.2\nc",
    ]


def test_without_ids_a_cell_is_known_by_its_first_line():
    """Where editor or file name none; and where ids repeat, a cell is not put in two places."""
    remembered = Remembered()
    remembered.note("# m04.1\nnew", "", 11.0)
    remembered.note("# m04\nimport torch", "", 11.0)
    remembered.note("# m04\nimport torch", "", 12.0)

    assert over(remembered, notebook("# m04\nimport torch", "# m04.1\nold")) == ["# m04\nimport torch", "# m04.1\nnew"]
    assert remembered.over(None, 0.0, "m05") is None
    elsewhere = Remembered()
    elsewhere.note("# m04.1\nnew", "vscode-notebook-cell:/x/m04_attention.ipynb#W2sZmlsZQ%3D%3D", 11.0)
    assert over(elsewhere, notebook({"cell_type": "code", "source": "# m04.1\nold", "id": "a"})) == ["# m04.1\nnew"]
    twice = notebook(*({"cell_type": "code", "source": f"# m04.{n}\nold", "id": "same"} for n in (1, 2)))
    named = Remembered()
    named.note("# m04.1\nnew", "same", 11.0)
    assert over(named, twice) == ["# m04.1\nold", "# m04.1\nnew", "# m04.2\nold"]


def test_a_file_that_is_no_notebook_is_one_sentence():
    """What cannot be read is not passed over for what was run."""
    with pytest.raises(ValueError, match="it is no notebook"):
        Remembered().over(b"{", 0.0, "m04")


def test_a_notebook_is_imported_as_the_module_that_it_makes(tmp_path, monkeypatch):
    """By later milestones' relative imports as well; a traceback finds its lines, and two with work are refused."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    folder = tmp_path / "exercises"
    folder.mkdir()
    (folder / "m04_attention.ipynb").write_bytes(notebook("boom()", "# m04.1\ndef causal_mask():\n    return 1 / 0"))
    (folder / "m04_attention.py").write_text(support.source("exercises", "m04_attention"))
    (folder / "m05_block.py").write_text("from .m04_attention import causal_mask\n")
    from grader import trying

    found, failed = trying.modules(folder, ["m05_block"])

    assert failed == {}
    with pytest.raises(ZeroDivisionError) as raised:
        found["m05_block"].causal_mask()
    assert str(raised.traceback[-1].statement).strip() == "return 1 / 0"
    (folder / "m04_attention.py").write_text("def causal_mask():\n    return 2\n")
    _, failed = trying.modules(folder, ["m04_attention"])
    assert "both hold work" in str(failed["m04_attention"])
    importing.install("exercises", tmp_path)  # none of the folder's any more


def test_grading_takes_cells_that_are_given(tmp_path, monkeypatch, capsys):
    """--cells stands in the place of the milestone's own file; what else its files would say is a note."""
    support.lend_sandbox(monkeypatch)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    folder, cells = tmp_path / "exercises", tmp_path / "cells.ipynb"
    folder.mkdir()
    for name, data in (("m00_warmup.py", b"x = 1\n"), ("m00_warmup.ipynb", notebook("# m00.1\ny = 1"))):
        (folder / name).write_bytes(data)
    assert "both hold work" in collect(folder, support.COURSE).problems["m00_warmup"]
    cells.write_bytes(filled_in("m00_warmup", support.source("solutions", "m00_warmup")))
    call = ["grade", "--submission", str(folder), "--cells", str(cells)]

    assert cli.main([*call, "m00.1"]) == 0
    assert "both hold work" in " ".join(capsys.readouterr().out.split())
    assert cli.main([*call, "m00", "m01"]) == 2 and cli.main(call) == 2
    assert "--cells is the notebook of one milestone" in capsys.readouterr().err
    assert cli.main(["grade", "m00", "--cells", str(tmp_path / "none")]) == 2
    assert "cannot be read (no such file" in capsys.readouterr().err
    cells.write_bytes(notebook(code("# m00.1", outputs=[{"text": "a" * NOTEBOOK_BYTES}])))
    assert cli.main([*call, "m00"]) == 2
    assert "is larger than 4 MB; clear its outputs" in capsys.readouterr().err


def test_a_failure_in_a_cell_is_found_there(tmp_path, monkeypatch, capsys):
    """The report names the notebook as the file to mend, and for a line of a traceback its cell."""
    support.lend_sandbox(monkeypatch)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    folder = tmp_path / "exercises"
    folder.mkdir()
    (folder / "m00_warmup.ipynb").write_bytes(
        notebook("# m00\nimport torch", "x = 1", "# m00.1\ndef softmax(x, dim=-1):\n    raise KeyError")
    )

    page = tmp_path / "page.html"
    assert cli.main(["grade", "--submission", str(folder), "m00", "--html", str(page)]) == 1

    assert "in m00_warmup.ipynb." in page.read_text("utf-8")
    out = " ".join(capsys.readouterr().out.split())
    assert "In m00_warmup.ipynb, line 5 is line 3 of cell 3." in out
    assert "cell 2 was left out" in out and "m00_warmup.ipynb, line 5" in out


def test_an_official_run_of_cells_shows_no_values(tmp_path, monkeypatch, capsys):
    """Neither report nor page, nor the frame around it, has an input, an output or a place of a run that counts."""
    support.lend_sandbox(monkeypatch)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(practice.SECRET_SEED, "a seed that nobody guesses")
    body = "print('Kilroy', x)\n    assert dim != 1, x\n    return x * 0 + 73531"
    (tmp_path / "cells.ipynb").write_bytes(notebook("y = 1", f"# m00.1\ndef softmax(x, dim=-1):\n    {body}"))
    page = tmp_path / "page.html"
    call = ["grade", "m00", "--official", "--submission", str(support.REPOSITORY / "exercises")]

    assert cli.main([*call, "--cells", str(tmp_path / "cells.ipynb"), "--html", str(page)]) == 1

    shown = [capsys.readouterr().out, showing.framed(page.read_text("utf-8"), "Report of m00")]
    assert "<svg" not in page.read_text("utf-8")
    for text in shown:
        assert "failed" in text and "cell 1 was left out" in text.replace("\n             ", " ")
        for word in ("73531", "Kilroy", "got:", "is line", "cells.ipynb", "nobody guesses"):
            assert word not in text, word
