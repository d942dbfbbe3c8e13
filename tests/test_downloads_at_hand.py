"""Downloads as they lie on somebody's disk: a folder added, archives unpacked, names turned, and what is a question."""

from __future__ import annotations

from dataclasses import replace

import made_downloads
import pytest
from handing_in import WARMUP, collect, folder, modules, zipped
from test_platforms import ADA, BRIAN, PLAIN, laid_out, roster

from grader.classroom.intake import collecting
from grader.classroom.intake.reading import Reading
from grader.classroom.intake.roster import Roster


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """Have submissions read here, which is quicker than a process of its own for each test."""
    monkeypatch.setattr(collecting, "Reader", Reading)


@pytest.mark.parametrize("known", [roster("canvas"), PLAIN, None])
@pytest.mark.parametrize("form", ["submissions", "same name", "unpacked beside", "another folder"])
def test_a_canvas_download_is_known_with_a_folder_added(tmp_path, known, form):
    """In the folder that a program makes of it, with students' archives unpacked, or with something put beside it."""
    files = made_downloads.canvas()
    unpacked = {f"garcíamárquezzoë_12347_678904_work/work/{WARMUP}": "zoë"}
    match form:
        case "submissions":
            files = {f"submissions/{name}": data for name, data in files.items()}
        case "same name":
            files = {f"week1/{name}": data for name, data in files.items()}
        case "unpacked beside":
            files |= unpacked
        case _:
            files = {name: data for name, data in files.items() if not name.endswith(".zip")}
            files |= unpacked | {"figures/plot.png": "png"}

    collected = collect(folder(tmp_path / "week1", files), roster=known)

    found = {who: taken["m00"] for who, taken in modules(collected).items()}
    ids = ("s001", "s002", "s003") if known else ("12345", "12346", "12347")
    assert found == dict(zip(ids, ("ada", "brian", "zoë"), strict=True)) and collected.unclear == []


@pytest.mark.parametrize("known", [PLAIN, None])
def test_a_folder_that_may_be_a_download_is_a_question(tmp_path, known):
    """The only folder of a class, called like nobody and laid out like a download, is neither taken nor passed over."""
    files = {f"week 1/{name}": data for name, data in made_downloads.canvas().items()}

    collected = collect(folder(tmp_path / "s", files), roster=known)

    assert collected.handed_in == [] and len(collected.unclear) == 1
    assert "s/week 1 is laid out as a platform's download" in collected.unclear[0]
    assert modules(collect(folder(tmp_path / "s" / "week 1", {}), roster=known))


@pytest.mark.parametrize("place", ["", "exercises/"])
@pytest.mark.parametrize("form", ["folder", "zip", "zip named with --export"])
def test_modules_beside_archives_are_a_question_without_a_roster(tmp_path, form, place):
    """Whether they are one student's or a class's nobody says, so nothing is taken, and one sentence asks."""
    files = {"s001.zip": zipped({WARMUP: "ada"}), "s002.zip": zipped({WARMUP: "brian"}), f"{place}{WARMUP}": "whose?"}
    source = laid_out(tmp_path, files, form.split()[0], "submissions")

    collected = collect(exports=[source], roster=None) if "export" in form else collect(source, roster=None)

    assert collected.handed_in == [] and len(collected.unclear) == 1
    assert "holds modules beside archives (s001.zip, s002.zip)" in collected.unclear[0]
    named = collect(exports=[source], roster=PLAIN)
    assert {"s001", "s002"} <= set(modules(named)) and len([*named.unclear, *named.notes]) == 1


def test_an_archive_of_data_beside_modules_asks_nothing(tmp_path):
    """Where no archive holds a module the folder is one student's, and nothing of the student's is in doubt."""
    files = {f"exercises/{WARMUP}": "ada", "data.zip": zipped({"corpus.txt": "data"})}

    collected = collect(folder(tmp_path / "s001", files), roster=None)

    assert modules(collected) == {"s001": {"m00": "ada"}} and collected.unclear == [] and collected.doubts == []
    both = collect(folder(tmp_path / "class", {f"s001/{name}": data for name, data in files.items()}), roster=PLAIN)
    assert both.doubts == []


@pytest.mark.parametrize("name", ["Lovelace, Ada", "LOVELACE, Ada", "Ada Lovelace"])
@pytest.mark.parametrize("written", ["Ada Lovelace", "Lovelace, Ada"])
def test_a_name_that_is_turned_at_a_comma_is_the_same(tmp_path, name, written):
    """On Brightspace, on Moodle, and as a folder of one's own: the last name may stand first, with a comma."""
    known = Roster((replace(ADA, name=written), BRIAN))
    downloads = {
        "space": f"5001-9001 - {name} - Mar 1, 2026 911 PM/{WARMUP}",
        "flat": f"5001-9001 - {name}- 1 March, 2026 911 PM - {WARMUP}",
        "moodle": f"{name}_1001_assignsubmission_file/{WARMUP}",
        "own": f"{name}/{WARMUP}",
    }
    for kind, file in downloads.items():
        found = collect(
            folder(tmp_path / kind, {file: "ada", f"s002/{WARMUP}" if kind == "own" else "x.txt": ""}), roster=known
        )
        assert modules(found).get("s001") == {"m00": "ada"}, kind
