"""Platforms' downloads and rosters, read as they come: whose each submission is, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import made_downloads
import pytest
from handing_in import ATTENTION, WARMUP, collect, folder, modules, problems, zipped

from grader.classroom.book.standing import Student
from grader.classroom.intake import collecting
from grader.classroom.intake.platforms import blackboard, brightspace, canvas, moodle
from grader.classroom.intake.platforms.handed import LONGEST
from grader.classroom.intake.reader import Reader
from grader.classroom.intake.reading import Reading
from grader.classroom.intake.roster import Keys, Roster, RosterError, load_roster

ROSTERS = Path(__file__).parent / "rosters"
ADA = Student("s001", "Ada Lovelace", "ada@uni.example")
BRIAN = Student("s002", "Brian O'Brien", "brian@uni.example")
ZOE = Student("s003", "Zoë García Márquez", "zoe@uni.example")
PLAIN = Roster((ADA, BRIAN, ZOE))


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """Have submissions read here, which is quicker than a process of its own for each test."""
    monkeypatch.setattr(collecting, "Reader", Reading)


def roster(name: str) -> Roster:
    """Return one of the rosters in tests/rosters."""
    return load_roster(ROSTERS / f"{name}.csv")


# ── rosters ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "canvas",
            "id from SIS User ID, name from Student, login from SIS Login ID, Canvas's number from ID; left out: ",
        ),
        (
            "moodle",
            "id from ID number, name from First name and Last name, email from Email address, group from Groups.",
        ),
        ("moodle_german", "id from ID-Nummer, name from Vorname and Nachname, email from E-Mail-Adresse, group from "),
        (
            "gradescope",
            "id from SID, name from First Name and Last Name, email from Email; left out: tina@uni.example (ta)",
        ),
        (
            "brightspace",
            "id from OrgDefinedId, name from First Name and Last Name, email from Email, login from Username.",
        ),
        ("github_classroom", "id from identifier, name from name, login from github_username."),
        ("spreadsheet", "id from Student ID, name from Name, email from E-Mail."),
    ],
)
def test_a_roster_is_read_as_its_platform_exports_it(name, said):
    """Each platform's columns give the same three students, and one sentence says which were taken for what."""
    found = roster(name)

    with_email = name not in ("canvas", "github_classroom")
    assert found.students == tuple(each if with_email else replace(each, email="") for each in PLAIN.students)
    assert f"The roster {ROSTERS / name}.csv gives {said}" in found.said


def test_a_rosters_own_words_need_no_sentence(tmp_path):
    """A roster with the columns id, name and email is read without a word about it."""
    (tmp_path / "r.csv").write_text("id,name,email\ns001,Ada,\n")

    assert load_roster(tmp_path / "r.csv").said == ""


def test_an_id_is_the_first_column_that_everybody_has(tmp_path):
    """Where Moodle has no ID numbers, or not for all, the address stands for the id, and the sentence says so."""
    (tmp_path / "r.csv").write_text(
        "First name,Last name,ID number,Email address\nAda,Lovelace,,ada@uni.example\nBo,Li,7,bo@uni.example\n"
    )

    found = load_roster(tmp_path / "r.csv")

    assert [student.id for student in found.students] == ["ada@uni.example", "bo@uni.example"]
    assert "id from Email address" in found.said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04rest", "is a spreadsheet program's workbook; save it as CSV in UTF-8."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "is a spreadsheet program's workbook; save it as CSV in UTF-8."),
        (b"First name,Last name\nAda,Lovelace\n", "needs a first line that names its columns: id,name,email."),
        (b"SID,Email,SID\n1,a@x,2\n", "has two columns named sid."),
    ],
)
def test_what_is_no_roster_is_told_in_one_sentence(tmp_path, data, said):
    """A workbook, a table without ids and one with two columns of a name are refused with what to do."""
    (tmp_path / "r.xlsx").write_bytes(data)

    with pytest.raises(RosterError) as refused:
        load_roster(tmp_path / "r.xlsx")

    assert str(refused.value).endswith(said)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "cell", ['"Dag \\"D"" Berg"', '"Dag, Eli \\"'], ids=["a quote behind a backslash", "a backslash at the end"]
)
def test_a_roster_that_php_wrote_is_read(tmp_path, cell, encoding):
    r"""PHP does not double a quote behind a backslash: its rows are parted where PHP means them to be."""
    text = f'Full name,ID number,Email address\n{cell},7,dag@x\n"Finn ""Fin"" Berg",8,finn@x\n'
    (tmp_path / "r.csv").write_text(text, encoding=encoding)

    found = load_roster(tmp_path / "r.csv").students

    assert [student.id for student in found] == ["7", "8"]
    assert found[0].name == ('Dag \\"D" Berg' if "D" in cell[6:] else "Dag, Eli \\")
    assert found[1].name == 'Finn "Fin" Berg'


# ── downloads ─────────────────────────────────────────────────────────────────────────────────────────────────────────

FORMS = ["folder", "zip", "wrapped zip"]


def laid_out(tmp_path: Path, files: made_downloads.Files, form: str, name: str = "download") -> Path:
    """Write a download as a folder, as an archive, or as an archive with a folder around it all."""
    if form == "folder":
        return folder(tmp_path / name, files)
    wrapped = {f"{name}/{file}" if form == "wrapped zip" else file: data for file, data in files.items()}
    (tmp_path / f"{name}.zip").write_bytes(zipped(wrapped))
    return tmp_path / f"{name}.zip"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("download", "known"),
    [
        (made_downloads.canvas, roster("canvas")),
        (made_downloads.canvas, PLAIN),
        (made_downloads.moodle, roster("moodle")),
        (made_downloads.moodle, PLAIN),
        (made_downloads.blackboard, roster("brightspace")),  # has logins
        (made_downloads.blackboard, roster("canvas")),
        (made_downloads.brightspace, roster("brightspace")),
        (made_downloads.brightspace, PLAIN),
        (made_downloads.brightspace_flat, roster("brightspace")),
        (made_downloads.clones, roster("github_classroom")),
    ],
)
def test_each_platforms_download_gives_everybody_their_own(tmp_path, download, known, form):
    """Flat, zipped, or in a folder: each of three students has the module that they handed in, and nobody else."""
    collected = collect(laid_out(tmp_path, download(), form, "m00-warmup-submissions"), roster=known)

    assert {who: found["m00"] for who, found in modules(collected).items()} == {
        "s001": "ada",
        "s002": "brian",
        "s003": "zoë",
    }
    assert problems(collected) == {} and collected.unclear == [] and collected.missing == []


def test_what_a_platform_says_beside_the_work_is_said(tmp_path):
    """That work is late, that texts were typed, and which of several attempts was taken, stands in a sentence."""
    canvas = collect(folder(tmp_path / "c", made_downloads.canvas()), roster=PLAIN)
    board = collect(folder(tmp_path / "b", made_downloads.blackboard()), roster=roster("canvas"))
    space = collect(folder(tmp_path / "s", made_downloads.brightspace()), roster=PLAIN)

    assert modules(canvas)["s001"] == {"m00": "ada", "m04": "ada's"}
    assert canvas.handed_in[1].notes == ["Canvas has marked it as late, and does not say by how much."]
    assert "c has 1 text or address typed into Canvas; only files are taken." in canvas.notes
    assert "The last of 2 attempts was taken, of 2026-03-02-09-00-00" in board.handed_in[1].notes[0]
    assert "taken, of Mar 1, 2026 1215 PM, not those of Mar 1, 2026 800 AM." in space.handed_in[1].notes[0]


def test_the_last_of_two_that_canvas_received_is_taken(tmp_path):
    """Of two files for one module the one with the higher number of an attachment counts, and the note names both."""
    files = {f"lovelaceada_12345_90_{WARMUP}": "old", "lovelaceada_12345_101_m00_warmup-1.py": "new"}

    (ada,) = collect(folder(tmp_path / "c", files), roster=PLAIN).handed_in

    assert ada.submission.sources == {"m00_warmup": b"new"}
    assert ada.notes == [f"lovelaceada_12345_101_m00_warmup-1.py was taken, which Canvas received after {WARMUP_90}."]


WARMUP_90 = f"lovelaceada_12345_90_{WARMUP}"


def test_without_a_roster_platforms_own_keys_are_ids(tmp_path):
    """Canvas's number of a user, Blackboard's account and GitHub's login stay the same in every assignment."""
    found = {
        name: [each.student.id for each in collect(folder(tmp_path / name, files), roster=None).handed_in]
        for name, files in {
            "c": made_downloads.canvas(),
            "b": made_downloads.blackboard(),
            "m00-warmup-submissions": made_downloads.clones(),
        }.items()
    }

    assert sorted(found["c"]) == ["12345", "12346", "12347"]
    assert sorted(found["b"]) == ["alovelace", "bobrien", "zgarcia"]
    assert sorted(found["m00-warmup-submissions"]) == ["ada-l", "bobrien", "zoe"]


@pytest.mark.parametrize("download", [made_downloads.moodle_of_teams, made_downloads.canvas_of_teams])
def test_a_teams_work_is_each_members(tmp_path, download):
    """Where the name is a group's, every member has the work, with a note of who handed it in together."""
    groups = {"s001": ("Team 1",), "s002": ("Team 1",), "s003": ("Team 2",)}
    known = Roster(PLAIN.students, {who: Keys(groups=names) for who, names in groups.items()})

    collected = collect(folder(tmp_path / "d", download()), roster=known)

    assert {who: found["m00"] for who, found in modules(collected).items()} == {
        "s001": "both",
        "s002": "both",
        "s003": "zoë",
    }
    assert any("group" in note and "with Brian O'Brien." in note for note in collected.handed_in[0].notes)
    default = [said for said in collected.unclear if "Default group" in said]
    assert len(default) == (download is made_downloads.moodle_of_teams)


def test_a_student_who_is_called_like_a_group_hands_in_for_nobody(tmp_path):
    """Where some submission is a student's own, a name that is a group's gives no member anything."""
    known = Roster(PLAIN.students, {"s001": Keys(groups=("Team 1",)), "s002": Keys(groups=("Team 1",))})
    files = {
        f"Team 1_9_assignsubmission_file/{WARMUP}": "evil",
        f"Ada Lovelace_1_assignsubmission_file/{WARMUP}": "ada",
    }

    collected = collect(folder(tmp_path / "m", files), roster=known)

    assert modules(collected)["s001"] == {"m00": "ada"} and "s002" not in modules(collected)
    assert any("only where all of an export is teams'" in said for said in collected.unclear)


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        (made_downloads.canvas_without_names(), ["anon_Zz9y8", "anon_a1b2C"]),
        (made_downloads.moodle_without_names(), ["Participant 501", "Participant 502"]),
        (made_downloads.moodle_without_names("Teilnehmerin"), ["Teilnehmerin 501", "Teilnehmerin 502"]),
    ],
)
def test_anonymous_work_is_kept_as_the_platform_numbers_it(tmp_path, files, ids):
    """Where marking is blind nobody is missing and nobody a stranger; one sentence says so."""
    collected = collect(folder(tmp_path / "d", files), roster=PLAIN)

    assert sorted(each.student.id for each in collected.handed_in) == sorted(ids)
    assert collected.missing == [] and collected.unclear == []
    assert len(collected.notes) == 1 and "2 submissions are anonymous" in collected.notes[0]


def test_a_name_that_ends_with_anothers_number_takes_nobodys_place(tmp_path):
    """Whoever is called Ada_12345 on Canvas hands in for nobody: what can be read in two ways is nobody's."""
    forged = zipped({WARMUP: "evil"})
    files = {f"lovelaceada_12345_100_{WARMUP}": "ada", "lovelaceada_12345_777_900_work.zip": forged}
    numbered = Roster((ADA, BRIAN), {"s001": Keys(canvas="12345"), "s002": Keys(canvas="777")})

    for known in (PLAIN, numbered):
        collected = collect(folder(tmp_path / "c", files), roster=known)

        assert modules(collected) == {"s001": {"m00": "ada"}}
        assert (
            len(collected.unclear) == 1 and "can be read in two ways, as 12345's and as 777's" in collected.unclear[0]
        )


def test_a_download_that_nobody_called_one_speaks_for_nobody(tmp_path):
    """A student's archive beside others' that is laid out like a platform's download is one student's."""
    for build in (made_downloads.canvas, made_downloads.blackboard, made_downloads.brightspace_flat):
        (tmp_path / "s002.zip").write_bytes(zipped(build()))
        other = folder(tmp_path / "s001", {WARMUP: "ada"})

        collected = collect(tmp_path / "s002.zip", other, roster=PLAIN)

        assert modules(collected)["s001"] == {"m00": "ada"} and "s003" not in modules(collected)


def test_what_reads_in_its_own_process_knows_the_roster(tmp_path, monkeypatch):
    """Logins, Canvas's numbers, groups and what is anonymous reach the process that reads, and come back from it."""
    downloads = {
        "canvas": (made_downloads.canvas_of_teams(), Roster((ADA, BRIAN), {"s001": Keys(canvas="12346")})),
        "teams": (made_downloads.moodle_of_teams(), roster("moodle")),
        "board": (made_downloads.blackboard(), roster("canvas")),
        "blind": (made_downloads.moodle_without_names(), PLAIN),
    }
    for name, (files, known) in downloads.items():
        source = folder(tmp_path / name, files)
        here = collect(source, roster=known)
        monkeypatch.setattr(collecting, "Reader", Reader)
        assert collect(source, roster=known) == here
        monkeypatch.setattr(collecting, "Reader", Reading)
        assert here.handed_in


def test_names_of_no_scheme_are_one_sentence(tmp_path):
    """Where no submission is anybody's on the roster nothing is graded, and the sentence shows a name."""
    files = {f"week4-team{number}/{WARMUP}": "x" for number in range(24)}

    collected = collect(folder(tmp_path / "s", files), roster=PLAIN)

    assert collected.handed_in == [] and collected.notes == []
    assert len(collected.unclear) == 1
    assert (
        "None of the 24 submissions is on the roster, so nothing was graded: s/week4-team0 is called"
        in collected.unclear[0]
    )


def test_loose_files_in_a_classs_folder_are_named(tmp_path):
    """An archive that is not read is its student's problem; loose code is named, and so is whose it might be."""
    files = {
        f"s001/{WARMUP}": "ada",
        "s002.rar": "Rar!",
        "Zoë García Márquez.7z": "7z",
        f"{ATTENTION[:-3]} (1).py": "loose",
        "s001.py": "loose",
        "check_all.py": "the instructor's",
        "notes.txt": "",
    }

    collected = collect(folder(tmp_path / "s", files), roster=PLAIN)

    assert modules(collected)["s001"] == {"m00": "ada"}
    assert problems(collected) == {
        "s002": "s/s002.rar is an archive of a kind that is not read; zip and tar are.",
        "s003": "s/Zoë García Márquez.7z is an archive of a kind that is not read; zip and tar are.",
    }
    assert len(collected.unclear) == 1 and "m04_attention (1).py, s/s001.py lie loose" in collected.unclear[0]
    assert collected.notes == ["s/check_all.py was not taken: loose files are nobody's."]


def test_a_module_that_lies_loose_makes_no_students_work_of_the_class(tmp_path):
    """Beside archives that are named after students a module is nobody's, and everybody else is graded."""
    files = {"s001.zip": zipped({WARMUP: "ada"}), f"s002/{WARMUP}": "brian", WARMUP: "whose?"}

    collected = collect(folder(tmp_path / "submissions", files), roster=PLAIN)

    assert modules(collected) == {"s001": {"m00": "ada"}, "s002": {"m00": "brian"}}
    assert len(collected.unclear) == 1 and f"submissions/{WARMUP} lies loose" in collected.unclear[0]


@pytest.mark.parametrize(
    "download",
    [
        {f"Ada Lovelace_1001_assignsubmission_file_/{WARMUP}": "ada"},
        {f"Week 1_s001_attempt_2026-03-01-21-10-05_{WARMUP}": "ada"},
        {f"5001-9001 - Ada Lovelace - Mar 1, 2026 911 PM/{WARMUP}": "ada"},
        {f"m00-warmup-s001/{WARMUP}": "ada"},
    ],
    ids=["moodle", "blackboard", "brightspace", "clones"],
)
def test_what_a_download_does_not_name_itself_is_said(tmp_path, download):
    """Work that somebody has put into a platform's download under another name is named, whatever kind it has."""
    late = {"s002.zip": zipped({WARMUP: "late"}), "Zoë García Márquez.rar": "Rar!", WARMUP: "whose?", "notes.txt": ""}

    collected = collect(folder(tmp_path / "m00-warmup-submissions", download | late), roster=PLAIN)

    assert modules(collected)["s001"] == {"m00": "ada"}
    assert list(problems(collected)) == ["s003"]
    assert len(collected.unclear) == 1
    assert "s002.zip" in collected.unclear[0] and f"{WARMUP} were not taken" in collected.unclear[0]


@pytest.mark.parametrize("scheme", [moodle, blackboard, brightspace, canvas])
def test_a_name_longer_than_any_platforms_follows_no_scheme(scheme):
    """What is too long to be looked at is not passed over as the platform's own, nor searched for a scheme in it."""
    names = {
        moodle: f"Ada Lovelace_1001_assignsubmission_file_{WARMUP}",
        blackboard: f"Week 1_s001_attempt_2026-03-01-21-10-05_{WARMUP}",
        brightspace: f"5001-9001 - Ada Lovelace - Mar 1, 2026 911 PM - {WARMUP}",
        canvas: f"lovelaceada_12345_678901_{WARMUP}",
    }
    name = names[scheme]

    assert scheme.named(name) and not scheme.named(name + "x" * LONGEST)


def test_a_file_that_canvas_has_not_named_is_said(tmp_path):
    """A module and an archive among the files of a Canvas download are named, though nothing of them is taken."""
    files = {
        f"lovelaceada_12345_678901_{WARMUP}": "ada",
        f"obrienbrian_12346_678902_{WARMUP}": "brian",
        "s003.zip": zipped({WARMUP: "late"}),
    }

    collected = collect(folder(tmp_path / "week1", files), roster=PLAIN)

    assert modules(collected) == {"s001": {"m00": "ada"}, "s002": {"m00": "brian"}}
    assert len(collected.unclear) == 1 and "week1/s003.zip was not taken" in collected.unclear[0]
