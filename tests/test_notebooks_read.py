"""What counts of a notebook: the cells that name a task, as text, whatever else the file holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import support
import systems
from notebooks import code, filled_in, markdown, notebook

from grader.notebooks import magics, reading
from grader.submission import NOTEBOOK_BYTES, collect

LIMIT = support.COURSE.max_source_bytes
NAME = "m04_attention"


def read(*cells, **more):
    """Return the module that cells of m04 make."""
    return reading.read(notebook(*cells, **more), "m04", LIMIT)


@pytest.mark.parametrize("milestone", support.MILESTONES)
@pytest.mark.parametrize("folder", ["exercises", "solutions"])
def test_a_module_in_cells_is_the_module(milestone, folder):
    """Word for word, and with nothing to say of it; a stub holds no work in either form, a solution does in both."""
    source = support.source(folder, milestone)
    module = reading.read(filled_in(milestone, source), milestone[:3], LIMIT)

    assert module.source.decode().split() == source.split()
    assert module.said == []
    assert {reading.holds_work(module.source), reading.holds_work(source.encode())} == {folder == "solutions"}


def test_only_code_cells_that_name_a_task_count():
    """Prose, raw cells, outputs, and code without such a first line are left out; of code it is said which cells."""
    module = read(
        markdown("# m04.1"),
        "import os",
        code("# m04\nimport torch", outputs=[{"output_type": "stream", "text": "# m04.1\nx = 1"}]),
        {"cell_type": "raw", "source": "# m04.1\nraw = 1"},
        code(["# m04.1 The mask\n", "def causal_mask(seq):\n", "    return seq"]),
        "  # m04.2\nindented = 1",
        "%grade m04.1\n# nothing else",
        "\n\n#m04.2: more\n\nlast = 1\n",
    )

    assert module.source == b"import torch\n\n\ndef causal_mask(seq):\n    return seq\n\n\nlast = 1\n"
    assert module.said == ["cells 2 and 6 were left out: they do not begin with a line that names a task, like # m04.1"]


@pytest.mark.parametrize(
    ("line", "tasks"),
    [
        ("# m04.3, m04.4 and m04.10 The rest of m04.1", ["m04.3", "m04.4", "m04.10"]),
        ("#M04", ["m04"]),
        ("# m04.2. Scaled", ["m04.2"]),
        ("# x01.1", ["x01.1"]),
        *((line, []) for line in ("# m04_attention", "# m04.2x", "# m04.1.2", "# the m04.1", "m04.1", "## m04.1", "")),
    ],
)
def test_a_first_line_names_tasks_or_is_none(line, tasks):
    """Titles may follow; what only resembles a task's name is none."""
    assert reading.tasks_of(line) == tasks


def test_lines_that_are_ipythons_are_left_out_and_named():
    """Magics, shell lines and questions leave their place empty; in a block, a text or an expression % is Python's."""
    module = read(
        "# m04.1\n%time f()\ndef f(x):\n    !ls \\\n      -l\n    return (x\n% 4)\ntext = '''\n%d !\n'''\nf?\n",
        "# m04.2\n%timeit 1",
    )

    assert module.source.decode() == ("def f(x):\n    pass\n\n    return (x\n% 4)\ntext = '''\n%d !\n'''\n\n\n\n")
    assert module.said == ["what is IPython's (%, ! or ?) was left out: lines 2, 4 and 11 of cell 1, line 2 of cell 2"]


def test_a_cell_that_a_magic_runs_is_left_out():
    """A first line with %% makes the cell IPython's, which is said where there is code in it."""
    module = read("%%bash\n# m04.1\nrm -r /", "%%time\n# m04.1\nx = 1", "%%capture\n%grade m04.1")

    assert module.source == b""
    assert module.said[0].startswith("cells 1 and 2 were left out")


def test_a_task_that_stands_twice_counts_in_the_order_of_the_file():
    """Both cells count, the later one's definitions hold as they do where cells are run in order, and that is said."""
    module = read("# m04.1\ndef causal_mask():\n    pass", "# m04.2\nclass A: ...", "# m04.1\ndef causal_mask(): ...")

    assert module.source.decode().count("def causal_mask") == 2
    assert module.said == ["causal_mask is defined in cells 1 and 3, and what the last one defines counts"]


def test_cells_of_another_milestone_are_left_out():
    """A marker of m05 counts for nothing in m04's notebook, and neither does what follows it."""
    module = read("# m05.1\nx = 1", "# m04.1, m05.1\ny = 1")

    assert module.source == b"y = 1\n"
    assert module.said[0].startswith("cell 1 was left out: it does not begin")


def test_a_line_is_found_again_in_its_cell():
    """For a line of the module: the cell as the file counts them, and the line of it, its first one included."""
    module = read("prose = 1", "# m04\nimport torch\n", markdown("…"), "# m04.1\n\n%time\nx = 1\ny = 2")
    lines = module.source.decode().split("\n")

    assert module.place(lines.index("import torch") + 1) == (2, 2)
    assert module.place(lines.index("y = 2") + 1) == (4, 5)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"print('no notebook')", "it is no notebook (Expecting value"),
        (b"\xff\xfe", "it is no notebook (it is not UTF-8 text)"),
        (b"[" * 100_000 + b"]" * 100_000, "it is no notebook (it is nested too deep)"),
        (b'{"cells":' * 50_000, "it is no notebook (it is nested too deep)"),
        (b"[]", "it is no notebook: it does not say of which format"),
        (b'{"nbformat": true, "cells": []}', "it is no notebook: it does not say of which format"),
        (notebook(nbformat=3), "it is a notebook of another format than 4; open it in Jupyter and save it again"),
        (notebook(cells={}), "it is no notebook: it has no list of cells"),
        (notebook({"cell_type": ["code"]}), "cell 1 of it is none as notebooks have them"),
        (notebook("# m04.1", code(["# m04.1\n", 7])), "cell 2 of it has no text"),
        (notebook(code({"a": 1})), "cell 1 of it has no text"),
        (notebook("# m04.1\n" + "#" * (LIMIT + 1)), "its cells that count are larger than 64 kB"),
    ],
)
def test_what_is_no_notebook_is_refused_in_one_sentence(data, said):
    """Damaged, deep, foreign or too large: the half of a sentence, whatever is inside."""
    with pytest.raises(ValueError) as refused:
        reading.read(data, "m04", LIMIT)

    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_forged_metadata_and_ids_change_nothing():
    """Other languages, commands of kernels, tags, and ids that repeat are not looked at."""
    forged = {"kernelspec": {"argv": ["/bin/sh"], "name": "x", "language": "bash"}, "language_info": {"name": "R"}}
    cell = code("# m04.1\nx = 1", metadata={"tags": ["remove-cell"], "task": "m05.1"}, id="same")
    again = code("# m04.2\ny = 1", id="same", metadata=None)

    assert read(cell, again, metadata=forged).source == read("# m04.1\nx = 1", "# m04.2\ny = 1").source


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ['"' * LIMIT, "'''\n" + "\\'''\n" * 12_000 + "\\", "(\n" * 30_000, "%\\\n" * 20_000, "x" * 60_000 + "?"]
)
def test_the_work_on_a_cell_is_linear(text):
    """Quotes, escapes and brackets without end take no time beyond all measure."""
    kept, lines = magics.without(text)

    assert kept.count("\n") == text.count("\n") and len(lines) <= text.count("\n") + 1


@pytest.fixture
def folder(tmp_path):
    """A folder with the stub of m04, and a function that lays its notebook beside it and collects."""
    made = tmp_path / "exercises"
    made.mkdir()
    (made / f"{NAME}.py").write_text(support.source("exercises", NAME))
    return made


def collected(folder, data, text=None):
    """Lay a notebook into the folder, and a module where there is one; return what is taken of the two."""
    (folder / f"{NAME}.ipynb").write_bytes(data)
    if text is not None:
        (folder / f"{NAME}.py").write_text(text)
    return collect(folder, support.COURSE)


def test_of_a_stub_and_a_notebook_the_one_with_work_is_taken(folder):
    """Beside the stub the notebook counts, beside a notebook without work the module, and without work the stub."""
    stub, solution = (support.source(place, NAME) for place in ("exercises", "solutions"))
    begun = notebook("# m04.1\nmask = 1")

    assert collected(folder, begun).sources[NAME] == b"mask = 1\n"
    assert collected(folder, filled_in(NAME, stub), solution).sources[NAME] == solution.encode()
    assert collected(folder, notebook("x = 1"), solution).sources[NAME] == solution.encode()
    assert collected(folder, filled_in(NAME, stub), stub).sources[NAME] == stub.encode()
    (folder / f"{NAME}.py").unlink()
    assert collected(folder, begun).sources[NAME] == b"mask = 1\n"
    assert collected(folder, begun).file(NAME) == "m04_attention.ipynb"


def test_of_two_that_hold_work_neither_is_guessed(folder):
    """One sentence asks for one of them; where they say the same, there is nothing to ask."""
    solution = support.source("solutions", NAME)
    taken = collected(folder, notebook("# m04.1\nmask = 1"), solution)

    assert NAME not in taken.sources
    assert "m04_attention.ipynb both hold work, and neither is guessed: keep one of the two" in taken.problems[NAME]
    assert collected(folder, filled_in(NAME, solution), solution).sources[NAME] == solution.encode()


def test_a_name_given_to_a_lambda_is_work_too(folder):
    """A notebook with one function fewer to write than the stub is not passed over for it."""
    stub = support.source("exercises", NAME)
    without = json.loads(filled_in(NAME, stub))
    without["cells"] = [cell for cell in without["cells"] if not "".join(cell["source"]).startswith("# m04.1")]
    without["cells"].append(code("# m04.1\ncausal_mask = lambda seq, device=None: seq"))
    assert "both hold work" in collected(folder, json.dumps(without).encode(), stub).problems[NAME]


def test_one_of_two_that_cannot_be_read_is_asked_about(folder):
    """Beside work it is named with what is wrong; beside a stub it is what is wrong with the milestone."""
    solution = support.source("solutions", NAME)

    beside_work = collected(folder, b"{}", solution).problems[NAME]
    assert beside_work.endswith("exercises/m04_attention.py lies beside it; keep one of the two.")
    assert "m04_attention.ipynb cannot be taken: it is no notebook" in beside_work
    beside_stub = collected(folder, b"{}", support.source("exercises", NAME)).problems[NAME]
    assert beside_stub.endswith(
        "m04_attention.ipynb cannot be taken: it is no notebook: it does not say of which format."
    )
    too_large = collected(folder, notebook("# m04.1\nx = 1"), "#" * (LIMIT + 1)).problems[NAME]
    assert "m04_attention.py cannot be taken: it is larger than 64 kB" in too_large
    assert too_large.endswith("m04_attention.ipynb lies beside it; keep one of the two.")


def test_a_notebook_of_megabytes_is_asked_to_be_cleared(folder):
    """Outputs may make a notebook large up to a limit, beyond which nothing of it is read."""
    cell = code("# m04.1\nx = 1", outputs=[{"text": "a" * (NOTEBOOK_BYTES - 1000)}])

    assert collected(folder, notebook(cell)).sources[NAME] == b"x = 1\n"
    cell["outputs"].append({"text": "a" * 1000})
    said = collected(folder, notebook(cell)).problems[NAME]
    assert said.endswith("cannot be taken: it is larger than 4 MB; clear its outputs, which count for nothing.")


def test_a_notebook_in_which_nothing_counts_says_how_cells_count(folder):
    """Without a module beside it, that is what is wrong with it."""
    (folder / f"{NAME}.py").unlink()
    (folder / "m00_warmup.py").write_text("x = 1\n")

    said = collected(folder, notebook("x = 1")).problems[NAME]

    assert said.endswith("holds nothing that counts: no code cell begins with a line like # m04.1.")


@systems.links
@systems.pipes
def test_what_is_no_regular_file_is_refused_under_a_notebooks_name(folder, tmp_path):
    """A link is not followed, a pipe not waited for; the milestone's problem names it."""
    (tmp_path / "theirs.ipynb").write_bytes(notebook("# m04.1\nx = 1"))
    path = folder / f"{NAME}.ipynb"
    for kind, make in (
        ("symbolic link", lambda: path.symlink_to(tmp_path / "theirs.ipynb")),
        ("named pipe", lambda: os.mkfifo(path)),
    ):
        make()
        said = collect(folder, support.COURSE).problems[NAME]
        assert said.endswith(f"m04_attention.ipynb cannot be taken: it is a {kind}, not a regular file.")
        path.unlink()


def test_a_plain_run_imports_nothing_of_it():
    """Without a notebook in the folder, none of what reads, writes or shows notebooks is imported."""
    program = (
        "import sys; from grader import syllabus, practice; from grader.commands import grade; "
        "from grader.submission import collect; collect(grade.Path('exercises'), syllabus.load()); "
        "print([name for name in sys.modules if 'notebook' in name or name in ('IPython', 'nbformat')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=support.REPOSITORY, capture_output=True, text=True)

    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
