"""A notebook in a kernel: m04 from its first cell to its last, graded on the way, and handed in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import support

from grader import cli
from grader.notebooks import splitting
from grader.submission import NOTEBOOK_BYTES, collect

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NAME = "m04_attention"
SOLUTION = support.source("solutions", NAME)


class Student:
    """Works in a notebook: writes into its cells, runs them, and reads what stands below them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = nbformat.read(path, as_version=4)
        for cell in self.book.cells:
            cell.id = cell.id.replace(".", "-")
        kernel = {"metadata": {"path": str(path.parent)}}
        self.client = nbclient.NotebookClient(self.book, timeout=600, kernel_name="python3", resources=kernel)

    def cell(self, begins):
        """Return where the first cell is that begins so."""
        return next(at for at, cell in enumerate(self.book.cells) if cell.source.startswith(begins))

    def write(self, task, text):
        """Write into a task's cell, below its first line, and run it."""
        at = self.cell(f"# {task} ")
        line = self.book.cells[at].source.partition("\n")[0]
        self.book.cells[at].source = f"{line}\n{text}"
        self.run(at)

    def run(self, at):
        """Run a cell and return its outputs: of each the texts by their kind."""
        outputs = self.client.execute_cell(self.book.cells[at], at).outputs
        return [dict(output.get("data", {})) or {"text/plain": output.get("text", "")} for output in outputs]

    def says(self, line):
        """Run a line in a cell that is there for such, and return what it says."""
        at = self.cell("# Setup") + 1
        if self.book.cells[at].cell_type != "code":
            self.book.cells.insert(at, nbformat.v4.new_code_cell())
        self.book.cells[at].source = line
        return self.run(at)


@pytest.fixture
def student(tmp_path, monkeypatch):
    """Somebody with m04's notebook open, its first cell run."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SCRATCHWORK_WARM", "0")  # nothing may be left behind
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("PYTHONPATH", str(support.REPOSITORY))
    folder = tmp_path / "exercises"
    folder.mkdir()
    for name in (NAME, "m00_warmup"):
        (folder / f"{name}.py").write_text(support.source("exercises", name))
    assert cli.main(["notebook", "m04", "--submission", str(folder)]) == 0
    os.utime(folder / f"{NAME}.ipynb", (1, 1))  # saved long ago
    made = Student(folder / f"{NAME}.ipynb")
    with made.client.setup_kernel():
        made.run(made.cell("# Setup"))
        yield made


def test_a_student_does_a_milestone_in_a_notebook(student):
    """Every cell is run in order; a mistake is named where it was made; what is handed in is the module."""
    written = dict(splitting.pieces(SOLUTION, splitting.owners(support.source("exercises", NAME))))
    student.book.cells[student.cell("# m04\n")].source = f"# m04\n{written[()]}"
    student.run(student.cell("# m04\n"))
    student.write("m04.1", written["m04.1",])
    wrong = written["m04.2",].replace(" / d_head**0.5", "")
    assert wrong != written["m04.2",]
    student.write("m04.2", wrong)

    (report,) = student.run(student.cell("%grade m04.2"))
    assert "Likely mistake: the scores are not divided by sqrt(d_head)" in " ".join(report["text/plain"].split())
    assert report["text/html"].startswith('<iframe sandbox="" ') and "<script" not in report["text/html"]
    assert report["text/html"].count("<") == 2, "the page is the frame's, and stands escaped"
    (hint,) = student.says("%hint m04.2")
    assert "m04.2 Scaled dot-product attention: hint 1 of 3" in hint["text/plain"]

    for task in ("m04.2", "m04.3", "m04.4"):
        student.write(task, written[task,])
    (report,) = student.says("%grade m04")
    assert "Everything that was graded passes" in report["text/plain"]
    nbformat.write(student.book, student.path)
    handed_in = collect(student.path.parent, support.COURSE)
    assert handed_in.sources[NAME].split() == SOLUTION.encode().split()
    (seen,) = student.says(
        "import inspect\nfrom .m04_attention import merge_heads\nprint(inspect.getsource(merge_heads))"
    )
    assert seen["text/plain"].startswith("def merge_heads(")


def test_what_cannot_be_graded_is_one_sentence(student):
    """No name, a wrong one, and a wrong option: the sentence that a prompt would give, and the kernel goes on."""
    assert student.says("%grade")[0]["text/plain"] == "Say which task, or which milestone: %grade m04.2, %grade m04.\n"
    assert student.says("%grade m99.1")[0]["text/plain"].startswith("There is no task 'm99.1'")
    assert "unrecognized arguments: --nonsense" in student.says("%grade m04.1 --nonsense")[0]["text/plain"]
    student.path.write_text("{")
    assert "m04_attention.ipynb cannot be read: it is no notebook" in student.says("%grade m04.1")[0]["text/plain"]
    student.path.write_bytes(b" " * (NOTEBOOK_BYTES + 1))
    assert "larger than 4 MB; clear its outputs" in student.says("%grade m04.1")[0]["text/plain"]


def test_cells_as_they_are_run_make_the_module(student):
    """A kernel's cells without a file are graded as well: nothing has to be saved first."""
    student.path.unlink()
    made = "torch.ones(seq, seq, dtype=torch.bool, device=device).tril()"
    student.write("m04.1", f"import torch\ndef causal_mask(seq, device=None):\n    return {made}")

    (report,) = student.says("%grade m04.1")

    assert "m04.1" in report["text/plain"] and "Everything that was graded passes" in report["text/plain"]
