"""A report as a notebook shows it: in a frame that runs nothing; and JupyterLab itself, while %grade runs."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import support
from driven_browser import browsing
from made_record import hostile
from test_class_report import BROWSER, in_a_browser

from grader import cli, syllabus
from grader.notebooks import showing, splitting
from grader.reports.pages import own_run

NAME = "m04_attention"
LAB = os.environ.get("SCRATCHWORK_JUPYTER_LAB") or str(support.REPOSITORY / ".nox" / "lab" / "bin" / "jupyter-lab")
in_jupyterlab = pytest.mark.skipif(not Path(LAB).exists(), reason="no JupyterLab here: nox -s lab installs it")
BREAKS_OUT = """</script></iframe><script>window.top.hit = 1</script><img src="x:" onerror="window.top.hit = 1">
<a href="javascript:window.top.hit = 1" id="there">x</a><form action="javascript:window.top.hit = 1"></form>"""


@in_a_browser
def test_nothing_of_a_report_runs_in_a_notebook(tmp_path):
    """Names and messages are text in it, and a page that is nothing but attacks could still do nothing in its frame."""
    pages = [own_run.render(hostile(), syllabus.load(), {}), f"<html><body>{BREAKS_OUT}</body></html>"]
    assert "&lt;script&gt;" in pages[0]
    frames = "".join(showing.framed(page, f'Report of "{BREAKS_OUT}"') for page in pages)
    (tmp_path / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8><body>{frames}</body>", "utf-8")

    with browsing(BROWSER, tmp_path / "profile") as tab:
        tab.open((tmp_path / "notebook.html").as_uri())
        tab.comes_to("document.querySelectorAll('iframe').length === 2")
        time.sleep(0.3)  # in which what is wrong could happen
        assert tab.value("window.hit") is None
        assert tab.value("document.querySelectorAll('body > *').length") == 2
        assert tab.value("[...document.querySelectorAll('iframe')].every((f) => f.contentDocument === null)")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """JupyterLab on a folder with m04's notebook, its cells filled in but for a mistake in m04.2; give its address."""
    folder = tmp_path / "exercises"
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(support.source("exercises", NAME))
    assert cli.main(["notebook", "m04", "--submission", str(folder)]) == 0
    _fill_in(folder / f"{NAME}.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {"JUPYTER_CONFIG_DIR": "c", "JUPYTER_DATA_DIR": "d", "JUPYTER_RUNTIME_DIR": "r", "IPYTHONDIR": "i"}
    environment = os.environ | {name: str(tmp_path / place) for name, place in own.items()}
    environment |= {"SCRATCHWORK_STATE": str(tmp_path / "state"), "SCRATCHWORK_WARM": "0"}
    environment |= {"PYTHONPATH": str(support.REPOSITORY)}
    options = [
        f"--ServerApp.root_dir={folder}", f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--no-browser",
        "--IdentityProvider.token=", "--ServerApp.password=", "--allow-root", "--expose-app-in-browser",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None",
    ]  # fmt: skip
    with open(tmp_path / "lab.log", "wb") as log:
        server = subprocess.Popen([LAB, *options], env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/api/status", server, tmp_path / "lab.log")
        yield f"{address}/lab/tree/{NAME}.ipynb?reset"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def _fill_in(path):
    plain = json.loads(path.read_text("utf-8"))
    source = support.source("solutions", NAME).replace(" / d_head**0.5", "")
    written = dict(splitting.pieces(source, splitting.owners(support.source("exercises", NAME))))
    for cell in plain["cells"]:
        line = "".join(cell["source"]).partition("\n")[0]
        if cell["cell_type"] == "code" and line.startswith("# m04"):
            task = line.split()[1]
            cell["source"] = f"{line}\n{written[(task,) if '.' in task else ()]}"
        if cell["cell_type"] == "code" and line.startswith("%grade") and line != "%grade m04.2":
            cell["source"] = "# graded below"
    path.write_text(json.dumps(plain), "utf-8")


def _wait_for(address, server, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text("utf-8", "replace")
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"JupyterLab does not answer: {log.read_text('utf-8', 'replace')}")


@in_a_browser
@in_jupyterlab
def test_jupyterlab_grades_a_task(lab, tmp_path):
    """%grade shows the page in a frame without scripts, and a mended cell is graded once it was run."""
    notebook = "window.jupyterapp.shell.currentWidget.content"
    graded = f"{notebook}.widgets.findIndex((cell) => cell.model.sharedModel.source.startsWith('%grade m04.2'))"
    with browsing(BROWSER, tmp_path / "profile") as tab:
        tab.resize(1300, 1000)
        tab.open(lab)
        tab.comes_to("window.jupyterapp && window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel", 300)
        tab.value("window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true)")
        tab.comes_to("document.querySelector('.jp-OutputArea iframe')", 300)
        tab.value(
            f"{notebook}.activeCellIndex = {graded}, {notebook}.scrollToItem({graded} + 1, 'smart').then(() => 1)"
        )
        assert tab.value("document.querySelector('.jp-OutputArea iframe').getAttribute('sandbox')") == ""
        first = tab.value("document.querySelector('.jp-OutputArea iframe').srcdoc")
        assert "the scores are not divided by sqrt(d_head)" in first
        _keep(tab, tmp_path / "a-mistake.png")

        mended = f"""(() => {{
            const cell = {notebook}.widgets.find((each) => each.model.sharedModel.source.startsWith('# m04.2'));
            const text = cell.model.sharedModel;
            text.source = text.source.replace('transpose(-2, -1)', 'transpose(-2, -1) / d_head**0.5');
            {notebook}.activeCellIndex = {notebook}.widgets.indexOf(cell);
            return window.jupyterapp.commands.execute('notebook:run-cell').then(() => {{
                {notebook}.activeCellIndex = {graded};
                return window.jupyterapp.commands.execute('notebook:run-cell').then(() => true);
            }});
        }})()"""
        tab.value(mended)
        tab.comes_to("document.querySelector('.jp-OutputArea iframe')?.srcdoc.includes('5 of 5 points')", 300)
        _keep(tab, tmp_path / "mended.png")


def _keep(tab, path):
    """Take a picture, and keep it where somebody wants to look at it."""
    time.sleep(0.5)  # for the frame to be painted
    tab.picture(path)
    if wanted := os.environ.get("SCRATCHWORK_PICTURES"):
        shutil.copy(path, Path(wanted) / path.name)
