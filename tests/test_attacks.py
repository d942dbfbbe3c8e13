"""No hostile submission earns a point, outlives its checks, hangs or swells the judge, or spoils a report."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import attacks_support as arena
import lms_readers
import pytest
import support
from attacks import on_disk
from every_report import WIDTHS, texts
from markdown_it import MarkdownIt
from rich.cells import cell_len

from grader import clipping, record, safe_text
from grader.judge import preflight
from grader.reports.machines import annotations, json_report
from grader.reports.student_view import student_view
from grader.reports.words import SENTENCE
from grader.sandbox import levels
from grader.sandbox.inside import facts
from grader.submission import collect

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the levels under attack need Linux")

ATTACKS = [attack for attack in arena.attacks() if not attack.gap]
GAPS = [attack for attack in arena.attacks() if attack.gap]
# Not those that end before a library has answered: nothing is left to unwrap, packages are not there, nobody hears.
LIBRARY = [attack for attack in arena.attacks() if re.match("a59(?!(d|h|i|zc)_)", attack.name)]
FOLDERS = [attack for attack in ATTACKS if attack.path.is_dir()]
# At the levels user and process a sample, unless all is asked for: one attack for each thing that such a level does in
# its own way. a57 is not among them, since it also finds other copies of the course on a developer's machine.
SAMPLE = (
    "a01_equals_everything", "a18_forged_replies_on_every_descriptor", "a59i_tiktoken",
    "a61_caches_between_checks", "a74_fork_bomb", "a75_daemon", "a76a_list_bomb", "a81_ignores_signals",
    "a95_signals_and_tracing", "b11_out_of_its_namespaces", "b12_writes_to_the_sandbox", "b21_swapped_folder",
    "b22_bottomless_folder", "b23_slow_to_die",
)  # fmt: skip
SMALL = arena.DEFAULT_CHECKS["m04_attention"]
EVERY_ATTACK = os.environ.get("SCRATCHWORK_EVERY_ATTACK") == "1"
JUDGE_MB = 500  # what the judge may grow by while it grades one attack; torch and the suites are loaded before
GRACE = 2.0  # seconds that a check may take beyond its limit, for killing and clearing up
TASKS = {task.id for milestone in support.COURSE.milestones for task in milestone.tasks}
NARROWEST = 48  # a command to copy is not broken
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
CI_COMMAND = re.compile(r"^\s*(::[a-z]|##(\[|vso|teamcity))", re.MULTILINE)


def at_its_levels(attacks):
    """Return each attack with each level that it is meant for; a level that does not work here is skipped by name."""
    pairs = []
    for attack in attacks:
        for level in attack.levels:
            reason = levels.unavailable(level)
            marks = [pytest.mark.skip(reason=f"the level {level} does not work here: {reason}")] if reason else []
            if level != "bubblewrap" and attack.name not in SAMPLE and not EVERY_ATTACK:
                marks = [pytest.mark.skip(reason=f"nox -s attacks runs all of them at the {level} level")]
            pairs.append(pytest.param(attack, level, id=f"{attack.name}-{level}", marks=marks))
    return pairs


@pytest.fixture(scope="module", autouse=True)
def _the_judge_has_all_it_needs():
    """Grade something first, so that what the judge loads once does not count as an attack's doing."""
    support.grade(
        {"m04_attention": support.source("solutions", "m04_attention")}, only={"test_a_layer_runs_where_its_input_is"}
    )


class Elements(HTMLParser):
    """What a browser makes of a page: its elements, and their attributes."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= {(name, value) for name, value in attrs if name.startswith("on") or name in ("src", "href")}


OWN_ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "div", "a", "p", "strong", "pre"),
    *("h1", "h2", "h3", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
}


def strings(plain):
    """Return every text in plain data."""
    if isinstance(plain, dict):
        return [text for part in plain.items() for text in strings(list(part))]
    return [text for part in plain for text in strings(part)] if isinstance(plain, list) else [str(plain)]


def expect_inert(shown, result):
    """Fail if a page, a platform, a CI log or a spreadsheet would take anything that a submission said for its own."""
    page = Elements(shown["html"])
    assert page.tags <= OWN_ELEMENTS, "html"
    assert page.attributes == {("href", "#main")}, "html"

    remarks = lms_readers.workflow_commands(shown["annotations"])
    assert len(remarks) == shown["annotations"].count("\n") <= len(result.milestones), "annotations"
    for remark in remarks:
        assert remark["command"] in annotations.KINDS and remark.keys() <= {
            "command",
            "message",
            "file",
            "line",
            "title",
        }
        assert re.fullmatch(r"exercises/\w+\.py", remark["file"]), "annotations"

    scored, told = json.loads(shown["gradescope"]), json.loads(shown["github classroom"])
    assert scored["score"] == sum(test["score"] for test in scored["tests"]) == result.earned, "gradescope"
    assert {scored[name] for name in ("output_format", "test_output_format", "test_name_format")} == {"text"}
    assert sum(test["score"] for test in told["tests"]) == result.earned, "github classroom"
    assert (told["status"] == "pass") == result.passed, "github classroom"
    for text in [*strings(scored), *strings(told)]:
        assert CONTROLS.search(text) is None, text
    assert not [text for text in strings(told) if re.search(r"::[a-z]|##\[", text)], "github classroom"

    assert CI_COMMAND.search(shown["feedback"]) is None, "feedback"
    assert lms_readers.spreadsheet_formulas(shown["table"]) == [], "table"


def expect_readable(result):
    """Fail unless every report can be made, says the same and holds nothing that a screen or a CI log would obey."""
    shown = texts(result)
    for name, text in shown.items():
        text.encode("utf-8")
        found = CONTROLS.search(text)
        assert found is None, f"{name} holds {found[0]!r} in {text[max(0, found.start() - 60) : found.end() + 20]!r}"
    assert record.from_json(json.loads(shown["json"])).earned == json.loads(shown["json"])["earned"] == result.earned
    bad = [case for case in ET.fromstring(shown["junit"].partition("\n")[2]).iter("testcase") if len(case)]
    assert len(bad) == len([check for check in support.checks(result) if check.outcome != record.PASSED])
    assert "<script" not in MarkdownIt("commonmark", {"html": True}).render(shown["markdown"])
    expect_inert(shown, result)
    for name, text in shown.items():
        if name != "json":  # which is for machines, and keeps what was said
            marks = "".join("m" if unicodedata.category(letter) in ("Mn", "Me") else " " for letter in text)
            assert "m" * (safe_text.MOST_MARKS + 1) not in marks, f"{name} has a stack of marks"
    for width in WIDTHS:
        screen = shown[f"terminal {width}"]
        assert CI_COMMAND.search(screen) is None
        assert max(map(cell_len, screen.splitlines())) <= max(width, NARROWEST)


every_attack = pytest.mark.parametrize(("attack", "level"), at_its_levels(ATTACKS))
# What is not stopped yet may earn something, and nothing else.
every_attack_and_gap = pytest.mark.parametrize(("attack", "level"), at_its_levels([*ATTACKS, *GAPS]))


def fought(attack, level):
    """Return the record of an attack, graded once for all tests; fail if the judge had to be interrupted."""
    battle = arena.fight(attack, level)
    assert not battle.interrupted, f"the judge hung at {battle.interrupted[0]}"
    return battle.record


@every_attack
def test_an_attack_earns_nothing(attack, level):
    """No check passes, no point is earned, and every check ends in a way that is laid at the submission's door."""
    result = fought(attack, level)
    outcomes = set(support.outcomes(result).values())

    assert {check.id.partition("[")[0] for check in support.checks(result)} == set(attack.checks)
    assert record.PASSED not in outcomes, support.outcomes(result)
    assert record.GRADER_ERROR not in outcomes, support.complaints(result)
    assert outcomes <= set(attack.outcomes), support.complaints(result)
    assert result.earned == 0 and not result.passed and not result.milestones[0].passed


@pytest.mark.parametrize("attack", LIBRARY, ids=lambda attack: attack.name)
def test_a_library_that_does_the_work_is_named(attack):
    """A check whose answer is right, and a library's, fails with what was used; where it passes, a note stands."""
    result = fought(attack, at_its_levels([attack])[0].values[1])
    mistakes = {check.mistake or "" for check in support.checks(result)}

    if attack.gap:
        assert result.milestones[0].notes
    else:
        assert all(mistake.startswith("a library does the work") for mistake in mistakes), support.complaints(result)


@every_attack_and_gap
def test_an_attack_finds_nothing(attack, level):
    """Nothing that the attack looks for is there to be found, read, written or signalled."""
    printed = [line for check in support.checks(fought(attack, level)) for line in check.output.splitlines()]

    assert [line for line in printed if line.startswith(arena.LOOT)] == []


@every_attack_and_gap
def test_an_attack_takes_no_longer_than_its_limits(attack, level):
    """Every check ends within its limit, but for a moment to kill and clear up."""
    checks = support.checks(fought(attack, level))
    limit = arena.fight(attack, level).limit

    # The first check's time holds that of importing the module once before it.
    # At the process level an attack can kill the server, and booting another takes seconds.
    grace = GRACE + (30 if level == "process" and "server" in attack.name else 0)
    late = [check.id for place, check in enumerate(checks) if check.seconds > (1 if place else 2) * limit + grace]
    assert late == [], [(check.id, check.seconds) for check in checks]


@every_attack_and_gap
def test_an_attack_does_not_swell_the_judge(attack, level):
    """Whatever a submission sends, the judge keeps within a few hundred megabytes of its own."""
    assert arena.fight(attack, level).judge_mb <= JUDGE_MB


@every_attack_and_gap
def test_an_attack_leaves_the_report_readable(attack, level):
    """Every form of the report can be made, says the same, and holds nothing that a screen or a CI log would obey."""
    expect_readable(fought(attack, level))


@every_attack_and_gap
def test_an_attack_makes_no_report_without_end(attack, level):
    """What it says, names and raises is cut to a length, and so is the number of notes; output has its own limit."""
    for milestone in fought(attack, level).milestones:
        assert len(milestone.notes) <= clipping.NOTES
        assert max(map(len, [*milestone.notes, milestone.problem or ""])) <= clipping.SENTENCE
        for check in (check for task in milestone.tasks for check in task.checks):
            assert len(check.message) <= clipping.MESSAGE and len(check.traceback) <= clipping.FRAMES
            short = [check.title, check.mistake or "", check.blocked_by or ""]
            names = [name for frame in check.traceback for name in (frame.file, frame.function)]
            assert max(map(len, short)) <= clipping.SENTENCE and max(map(len, ["", *names])) <= clipping.NAME


@every_attack_and_gap
def test_a_student_sees_nothing_hidden_of_an_official_run(attack, level):
    """What an attack's author is shown of an official run are the suite's own words: no input, no seed, no path."""
    official = dataclasses.replace(
        fought(attack, level), official=True, secret_seed=True, seed="a-seed-to-keep", isolation="bubblewrap"
    )
    shown = texts(student_view(official))
    for name, text in shown.items():
        for hidden in (official.seed, arena.LOOT, "/tmp/", "/worker/", "/site/", str(support.REPOSITORY)):
            assert hidden not in text, f"{name} shows {hidden}"
    for check in support.checks(student_view(official)):
        assert check.output == check.message.removeprefix(SENTENCE[check.outcome]) == "" and not check.traceback
        assert check.blocked_by in (None, "", *TASKS) and len(check.mistake or "") < 1000


@every_attack_and_gap
def test_an_attack_leaves_nothing_behind(attack, level):
    """No process and no file outlives the attack, and the machine's own files are as they were."""
    battle = arena.fight(attack, level)

    assert battle.processes == []
    assert battle.files == []
    assert not battle.machine_changed


@every_attack_and_gap
def test_a_right_submission_passes_after_an_attack(attack, level):
    """What is graded next, in the same sandbox, is graded as if nothing had been."""
    assert arena.fight(attack, level).complaints_afterwards == []


def test_the_sample_of_the_user_level_is_of_attacks_that_there_are():
    """Every attack that stands for the user level exists, and is stopped there."""
    names = {attack.name for attack in ATTACKS if "user" in attack.levels}

    assert sorted(set(SAMPLE) - names) == []


def test_every_known_gap_is_written_down():
    """What is not stopped yet stands in the attacks' README, with its file and the reason."""
    readme = (arena.FOLDER / "README.md").read_text(encoding="utf-8").partition("## Known gaps")[2]

    assert [attack.name for attack in GAPS if f"`{attack.name}.py`" not in readme or attack.gap not in readme] == []


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_an_honest_stub_earns_nothing_in_the_same_checks(milestone):
    """The checks that attacks are graded with give an honest stub no point either."""
    names = {name for attack in ATTACKS if attack.milestone == milestone for name in attack.checks}
    if not names:
        pytest.skip("no attack is graded with a check of this milestone")
    result = support.grade_one(milestone, support.source("exercises", milestone), only=names)

    assert result.earned == 0
    assert record.PASSED not in support.outcomes(result).values()


@pytest.mark.parametrize("attack", FOLDERS, ids=lambda attack: attack.name)
def test_files_beside_the_module_change_nothing(attack, tmp_path):
    """Whatever lies beside the module in the folder is not taken, not read and not run."""
    arena.plant(attack, tmp_path)
    lying_about = arena.left_files()
    assert len(list(tmp_path.iterdir())) > 1

    submission = collect(tmp_path, support.COURSE)
    result = support.grade_submission(submission, [attack.milestone], set(attack.checks), "auto", "fork", "0")

    assert list(submission.sources) == [attack.milestone]
    assert result.earned == 0
    assert all(check.outcome == record.FAILED for check in support.checks(result)), support.complaints(result)
    assert not any(arena.LOOT in check.output for check in support.checks(result))
    assert arena.left_files() <= lying_about


@pytest.mark.parametrize("build", on_disk.ALL, ids=lambda build: build.__name__)
def test_only_a_regular_file_of_the_right_name_is_taken(build, tmp_path):
    """A link, a pipe, a device, a folder or a name that only looks right is refused, and earns nothing."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    build(folder, support.source("solutions", "m04_attention"))
    (folder / "m01_tokenizer.py").write_text(support.source("exercises", "m01_tokenizer"))

    submission = collect(folder, support.COURSE)
    with arena.watchdog() as barked:
        result = support.grade_submission(submission, ["m04_attention"], None, "auto", "fork", "0")

    assert not barked
    assert result.earned == 0
    assert record.PASSED not in support.outcomes(result).values()
    assert "m04_attention" in submission.problems or submission.sources["m04_attention"] == on_disk.HOSTILE.encode()
    assert "root:" not in json_report.render(result)
    expect_readable(result)


def test_a_file_that_never_keeps_still_is_graded_as_it_was_read(tmp_path):
    """A module swapped all the while, for a right one and for links to it, is judged by what was read of it."""
    folder, right = tmp_path / "handed_in", tmp_path / "right.py"
    folder.mkdir()
    right.write_text(support.source("solutions", "m04_attention"))
    versions = {support.source("exercises", "m04_attention"): record.NOT_STARTED, right.read_text(): record.PASSED}
    stop = threading.Event()

    def swap():
        file, new = folder / "m04_attention.py", folder / "new"
        for number in itertools.cycle(range(3)):
            if number == 2:
                new.symlink_to(right)
            else:
                new.write_text(list(versions)[number])
            new.replace(file)
            if stop.wait(0.0003):
                return

    swapping = threading.Thread(target=swap)
    swapping.start()
    taken = []
    try:
        while not (folder / "m04_attention.py").exists():
            pass
        for _ in range(60):
            taken.append(collect(folder, support.COURSE))
        graded = [
            (submission, support.grade_submission(submission, ["m04_attention"], set(SMALL), "auto", "fork", "0"))
            for submission in taken[-6:]
        ]
    finally:
        stop.set()
        swapping.join()

    read = [submission.sources.get("m04_attention", b"").decode() for submission in taken]
    assert len(set(read)) > 1, "the file kept still"
    assert {text for text in read if text} <= set(versions)
    assert all(
        "symbolic link" in str(submission.problems) for submission, text in zip(taken, read, strict=True) if not text
    )
    for submission, result in graded:
        text = submission.sources.get("m04_attention", b"").decode()
        assert set(support.outcomes(result).values()) == {versions.get(text, record.FAILED)}
        assert result.milestones[0].sources == submission.digest(["m04_attention"])


def grade_by_command(folder, tmp_path):
    """Run `python -m grader grade` on a folder, and return its exit code, its screen and its record."""
    report = tmp_path / "record.json"
    command = [sys.executable, "-m", "grader", "grade", "m04", "--submission", str(folder), "--json", str(report)]
    done = subprocess.run(
        command, cwd=support.REPOSITORY, capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL
    )
    assert report.is_file(), done.stdout + done.stderr
    return done, json_report.read(report)


def test_the_command_line_ignores_planted_files_and_a_planted_environment(tmp_path, monkeypatch):
    """All planted files together, and variables that would steer pytest and Python, change nothing."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    for attack in FOLDERS:
        arena.plant(attack, folder)
    lying_about = arena.left_files()
    monkeypatch.setenv("PYTEST_ADDOPTS", "--collect-only -p sw_attack_plugin")
    monkeypatch.setenv("PYTEST_PLUGINS", "sw_attack_plugin")
    monkeypatch.setenv("PYTHONOPTIMIZE", "1")

    done, result = grade_by_command(folder, tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert result.earned == 0 and len(support.checks(result)) > 20
    assert record.FAILED in support.outcomes(result).values()
    assert arena.LOOT not in done.stdout + done.stderr
    assert CONTROLS.search(done.stdout) is None
    assert arena.left_files() <= lying_about


@pytest.mark.parametrize(
    "build", [on_disk.a97_link_to_a_solution, on_disk.a101_named_pipe], ids=lambda build: build.__name__
)
def test_the_command_line_names_what_it_does_not_take(build, tmp_path):
    """A link or a pipe in place of the module ends that milestone with one clear sentence and exit code 1."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    build(folder, support.source("solutions", "m04_attention"))
    (folder / "m01_tokenizer.py").write_text(support.source("exercises", "m01_tokenizer"))

    done, result = grade_by_command(folder, tmp_path)

    assert done.returncode == 1, done.stdout + done.stderr
    assert result.earned == 0
    assert "not a regular file" in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_listed_with_what_stops_it(attack):
    """Every attack starts with a sentence on what it tries, and the table in README.md says what stops it."""
    table = (arena.FOLDER / "README.md").read_text(encoding="utf-8")

    assert attack.title.endswith(".")
    assert f"`{attack.path.name}`" in table


@pytest.mark.parametrize("build", arena.BUILT, ids=lambda build: build.__name__)
def test_an_attack_that_is_built_is_listed_with_what_stops_it(build):
    """What is built on disk, as an archive or as a pull request starts with a sentence too, and stands in README.md."""
    rows = (arena.FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    title = build.__doc__.splitlines()[0]

    assert title.endswith(".")
    assert [row for row in rows if row.startswith(f"| `{build.__name__}` | {title} | ")]


def test_the_security_page_is_in_step_with_the_attacks():
    """The table in docs/security.md holds a row for each attack, with what each level promises."""
    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    table = arena.security_table()

    assert table in page, f"put this table in place of the one in docs/security.md:\n{table}"
    ways = [attack for attack in arena.attacks() if attack.name.startswith("a59")]
    found = [attack for attack in ways if not attack.gap]
    assert f"{len(found)} of {len(ways)} ways" in " ".join(page.split())


def test_every_entry_of_the_list_is_accounted_for():
    """Each of the list's 117 attacks is a submission here, is built on disk, or has a row that says what stops it."""
    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8").partition("## The rest of")[2]
    rows = re.findall(r"^\| ([\d, ]+) \|", page, re.MULTILINE)
    numbers = {int(number) for row in rows for number in row.split(",")}
    names = [*(attack.name for attack in arena.attacks()), *(build.__name__ for build in arena.BUILT)]
    numbers |= {int(found[1]) for name in names if (found := re.match(r"a(\d+)", name))}

    assert sorted(set(range(1, 118)) - numbers) == []
    named = set(re.findall(r"tests/test_\w+\.py", page))
    assert named and sorted(name for name in named if not (support.REPOSITORY / name).is_file()) == []


def test_no_right_submission_is_taken_for_a_shortcut():
    """Reading the source of every solution and every alternate, the detector flags no task and notes no reaching."""
    flagged, count = [], 0
    for milestone in support.COURSE.milestones:
        right = [support.REPOSITORY / "solutions" / f"{milestone.id}.py"]
        right += support.alternates(milestone.id)
        for path in right:
            count += 1
            result, read = preflight.Preflight(), facts.read(path.read_bytes())
            preflight._find_shortcuts(read, milestone, result)
            flagged += [path.name for task in milestone.tasks if result.shortcut(task)]
            flagged += [f"{path.name}: {note}" for note in preflight.notes_on_reaches(path.name, read["reaches"])]

    page = (support.REPOSITORY / "docs" / "security.md").read_text(encoding="utf-8")
    assert flagged == []
    stated = re.search(r"0 of (\d+) right submissions", page)
    assert stated and int(stated[1]) <= count
