"""A notebook on Colab: its first cell fetches the course from the repository, and %grade says what the level lacks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import support
from handouts import SMALL, built, command, git

from grader.handout import folder

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

ADDRESS = "https://github.com/owner/name"
COURSE = SMALL.replace("[course]\n", f'[course]\nrepository = "{ADDRESS}"\n')


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Return m04's notebook as Colab opens it, in a kernel that is as good as there: nothing of the course is found.

    GitHub is a folder here, pip writes down what it was asked for, and Colab's own /content lies elsewhere.
    """
    github = tmp_path / "github"
    folder.write(built(COURSE, where=tmp_path), github / "owner" / "name")
    made = command(github / "owner" / "name", "notebook", "m04")
    assert made.returncode == 0, made.stderr
    assert f"Its badge opens it on Colab, once it lies in {ADDRESS}: commit it, and push." in made.stdout
    for words in (["init"], ["add", "--all"], ["commit", "-m", "The course"]):
        git(github / "owner" / "name", *words)
    (tmp_path / "colab" / "google" / "colab").mkdir(parents=True)
    (tmp_path / "colab" / "google" / "colab" / "__init__.py").touch()
    (tmp_path / "bin").mkdir()
    pip = tmp_path / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{tmp_path}/installed"\n')
    pip.chmod(0o755)
    for name in [name for name in os.environ if name.startswith(("SCRATCHWORK", "GIT_CONFIG"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "PATH": f"{pip.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path / "colab"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "SCRATCHWORK_WARM": "0",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{(github / 'owner').as_uri()}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/owner/",
    }.items():
        monkeypatch.setenv(name, value)
    book = nbformat.read(github / "owner" / "name" / "exercises" / "m04_attention.ipynb", as_version=4)
    for cell in book.cells:
        cell.source = cell.source.replace("/content/", f"{tmp_path}/content/")
    (tmp_path / "content").mkdir()
    kernel = {"metadata": {"path": str(tmp_path / "content")}}
    client = nbclient.NotebookClient(book, timeout=300, kernel_name="python3", resources=kernel)
    with client.setup_kernel():
        run(client, "import google.colab")  # as every kernel there has done
        yield client


def run(client, source):
    """Run a cell and return what it says."""
    client.nb.cells.append(nbformat.v4.new_code_cell(source))
    outputs = client.execute_cell(client.nb.cells[-1], len(client.nb.cells) - 1).outputs
    return "".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_first_cell_fetches_the_course_and_a_task_is_graded(notebook, tmp_path):
    """With Colab's own torch and nothing of the course, three cells lead to a report that says what isn't stopped."""
    place = tmp_path / "content" / "course"
    cells = {cell.source.partition("\n")[0].partition(":")[0]: cell.source for cell in notebook.nb.cells}
    heading = notebook.nb.cells[0].source
    assert "(https://colab.research.google.com/github/owner/name/blob/HEAD/exercises/m04_attention.ipynb)" in heading

    for _ in range(2):  # a cell may be run again
        run(notebook, cells["# Colab"])
    installed = (tmp_path / "installed").read_text().splitlines()
    assert installed[0] == "install" and any(name.startswith("jaxtyping") for name in installed)
    assert not any(name.startswith("torch") for name in installed)
    assert Path(run(notebook, "import os\nprint(os.getcwd())").strip()) == place / "exercises"

    run(notebook, cells["# Setup"])
    written = support.source("solutions", "m04_attention").partition("def scaled_dot_product_attention")[0]
    run(notebook, f"# m04.1\n{written}")
    report = " ".join(run(notebook, "%grade m04.1 --isolation process").split())
    assert "m04.1" in report and "passed" in report, report
    assert "The process level hides nothing on this machine from the submission: it is for practice" in report
    assert run(notebook, "import grader\nprint(grader.__file__)").startswith(str(place))
