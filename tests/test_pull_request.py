"""Pull requests, hostile ones among them, as commits in real repositories.

The numbers in the docstrings are those of docs/security.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import hostile_git
import pytest
import support
import systems
from attacks import pull_requests as hostile
from attacks.pull_requests import ATTENTION, LOUD, WARMUP
from hostile_git import LINK, PROGRAM

from grader import cli, practice, record
from grader.classroom.intake import git_trees
from grader.classroom.intake.git_process import GitError
from grader.judge import grading
from grader.judge.errors import GradingError
from grader.judge.fingerprint import grader_version
from grader.pull_request import reading as pull_request
from grader.reports.machines import json_report
from grader.sandbox import levels
from grader.submission import SubmissionError

COURSE = support.COURSE
STUBS = {f"exercises/{name}.py": support.source("exercises", name) for name in support.MILESTONES}
RIGHT = support.source("solutions", "m00_warmup")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A repository whose branch main is the course, checked out as a workflow would have it."""
    repository = hostile_git.Repository(tmp_path_factory.mktemp("pulls") / "course")
    files = {**STUBS, "grader/cli.py": "print('base')\n", ".github/workflows/grade.yml": "on: pull_request_target\n"}
    repository.base = repository.commit(files)
    repository.tree = files
    repository.git("update-ref", "refs/heads/main", repository.base)
    repository.git("reset", "--quiet", "--hard")
    return repository


@pytest.fixture
def read(store):
    """Read a pull request that changes these files of the course."""

    def call(changes, *, base=None):
        head = store.head(store.tree, changes, store.base)
        return pull_request.read(store.folder, base or store.base, head, COURSE)

    return call


@pytest.fixture
def run(store, capsys, monkeypatch, tmp_path):
    """Grade a commit with the real command line; return its exit code, output, errors, record and summary."""
    if not systems.STRANGERS:
        pytest.skip(systems.NO_STRANGERS)
    monkeypatch.delenv(practice.SECRET_SEED, raising=False)
    monkeypatch.delenv(practice.SECRET_SEED_FILE, raising=False)
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path / "state"))
    support.lend_sandbox(monkeypatch)

    def call(head, *more, base=None, repository=None):
        reports = [tmp_path / "record.json", tmp_path / "summary.md"]
        arguments = ["--repo", str(repository or store.folder), "--base", base or store.base, "--head", head]
        written = ["--json", str(reports[0]), "--summary", str(reports[1])]
        code = cli.main(["pull-request", *arguments, *written, *more])
        printed = capsys.readouterr()
        result = json_report.read(reports[0]) if reports[0].exists() else None
        summary = reports[1].read_text(encoding="utf-8") if reports[1].exists() else ""
        return code, printed.out, printed.err, result, summary

    return call


# ── what is graded ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_right_module_passes_and_every_report_names_the_commit(store, run, tmp_path):
    """Exit code 0, full marks, and the whole id of the commit in record, summary and log; nothing is remembered."""
    head = store.commit({**store.tree, WARMUP: RIGHT}, store.base)

    code, out, _, result, summary = run(head, "--annotations")

    assert code == 0 and result.passed
    assert result.submission == f"{head}:exercises"
    assert head in summary and head in out
    assert [milestone.id for milestone in result.milestones] == ["m00_warmup"]
    assert not (tmp_path / "state").exists()


def test_attack_112_nothing_printed_is_a_command(store, run):
    """What a student prints or raises is no workflow command: it is broken up, and stands where none is obeyed."""
    head = store.commit({**store.tree, WARMUP: LOUD}, store.base)

    code, out, _, _, _ = run(head, "--annotations")

    first, *lines = out.splitlines()
    token = re.fullmatch(r"::stop-commands::([0-9a-f]{32})", first)[1]
    end = lines.index(f"::{token}::")
    assert code == 1
    assert not [line for line in lines[:end] if re.search(r"::\w|##\[", line)]
    assert len(lines[end + 1 :]) == 1, "one annotation, for the first failure of the milestone"
    assert re.match(r"::error file=exercises/m00_warmup\.py,line=\d+,title=m00\.1", lines[-1])


def test_attack_112_each_run_has_another_word_that_ends_the_silence(store, run):
    """The word that lets the log take commands again cannot be known beforehand."""
    first, second = (run(store.base, "--annotations")[1].splitlines()[0] for _ in range(2))

    assert first.startswith("::stop-commands::") and first != second


def test_a_milestone_built_on_what_changed_is_graded_once_it_is_begun(store, run):
    """A changed m03 is graded with m06, which is made of it; while m06 is a stub it does not count, and is named."""
    changed = {**store.tree, "exercises/m03_embedding.py": support.source("solutions", "m03_embedding")}

    code, _, _, result, _ = run(store.commit(changed, store.base))

    assert code == 0
    assert [milestone.id for milestone in result.milestones] == ["m03_embedding"]
    assert any("not begun yet and not counted: m06_gpt" in note for note in result.notes)


def test_a_milestone_that_broke_by_what_changed_fails_the_pull_request(read):
    """Whoever changes m03 answers for an m06 that stood before; what is not begun in it is held against nobody."""
    pull = read({"exercises/m03_embedding.py": support.source("solutions", "m03_embedding")})
    names = [milestone.id for milestone in pull.affected(COURSE)]

    assert pull.changed == ["m03_embedding"] and "m06_gpt" in names and "m04_attention" not in names
    assert pull.judge(_result(m03_embedding=["passed"], m06_gpt=["passed", "not_started"]))
    assert not pull.judge(_result(m03_embedding=["passed"], m06_gpt=["passed", "failed"]))
    assert not pull.judge(_result(m03_embedding=["passed"], m06_gpt=["grader_error"]))
    assert not pull.judge(_result(m03_embedding=["passed", "not_started"]))


def test_a_pull_request_without_a_module_is_not_graded(store, run):
    """Pages and grader may change without anything being graded: exit code 0 and one sentence."""
    head = store.commit({**store.tree, "README.md": "Hello\n"}, store.base)

    code, out, _, result, summary = run(head)

    assert code == 0 and result.milestones == []
    assert "changes no module of the course" in out and "changes no module of the course" in summary


def test_what_others_merged_meanwhile_is_not_the_pull_requests(store, read):
    """The comparison is with the commit where the head left the base, not with what the base is by now."""
    moved = store.commit({**store.tree, ATTENTION: support.source("solutions", "m04_attention")}, store.base)

    assert read({WARMUP: RIGHT}, base=moved).changed == ["m00_warmup"]


def test_merging_back_and_forth_hides_no_change(store):
    """Where two histories have crossed, a module counts that differs from any of the commits they meet at."""
    wrong = {**store.tree, WARMUP: LOUD}
    ours, theirs = store.commit(store.tree, store.base, message="ours"), store.commit(wrong, store.base)
    base, head = store.commit(store.tree, ours, theirs), store.commit(wrong, theirs, ours)

    assert len(pull_request.merge_bases(store.folder, base, head)) == 2
    pull = pull_request.read(store.folder, base, head, COURSE)
    assert pull.changed == ["m00_warmup"] and "m00_warmup" in pull.submission.problems


def test_an_official_run_shows_the_seed_to_nobody_but_the_record(store, run, monkeypatch):
    """The summary, the log and the annotations are the student's view: no seed, no value, no output."""
    monkeypatch.setenv(practice.SECRET_SEED, "a-seed-of-many-letters")
    head = store.commit({**store.tree, WARMUP: LOUD}, store.base)

    code, out, _, result, summary = run(head, "--annotations", "--official")

    assert code == 1 and result.seed == "a-seed-of-many-letters"
    for shown in (out, summary):
        assert "many-letters" not in shown and "pwned" not in shown
    assert "::error file=exercises/m00_warmup.py" in out


# ── hostile pull requests ─────────────────────────────────────────────────────────────────────────────────────────────


def test_attack_107_the_base_decides_and_nothing_of_the_head_lands_on_disk(store, run):
    """A head with its own grader, workflows, noxfile and planted modules changes nothing here."""
    marker = store.folder.parent / "marker"
    hook = store.folder / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    head = store.commit({**store.tree, **hostile.a107_grader_of_its_own(RIGHT, marker)}, store.base)
    before = store.files()

    code, _, _, result, _ = run(head)

    assert code == 1 and result.earned == 0 and result.grader == grader_version()
    assert store.files() == before and not marker.exists()
    assert any("grader, fixtures and workflow are the base's own" in note for note in result.notes)
    assert any("exercises/conftest.py" in note and "Not taken" in note for note in result.notes)


@pytest.mark.parametrize("build", hostile.ALL, ids=lambda build: build.__name__)
def test_a_hostile_pull_request_is_read_and_never_run(store, tmp_path, build):
    """Whatever it changes: nothing of the head lands on disk or is run, and a right solution is not got at this way."""
    marker = tmp_path / "marker"
    store.git("config", "filter.evil.smudge", f"touch {marker}")
    head = store.head(store.tree, build(RIGHT, marker), store.base)
    before = store.files()

    try:
        pull = pull_request.read(store.folder, store.base, head, COURSE)
    except GitError as error:
        said = [str(error)]
    else:
        said = [*pull.notes, *pull.submission.problems.values()]
        taken = pull.submission.sources.get("m00_warmup", b"").decode()
        assert taken in ("", STUBS[WARMUP], LOUD) or build in hostile.HONEST
        assert (taken == LOUD) == (build in hostile.GRADED)

    assert said or build is hostile.a112_commands_in_what_is_printed
    assert all(sentence.isprintable() and not re.search(r"::\w", sentence) for sentence in said)
    assert store.files() == before and not marker.exists()


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (hostile.a97_link_out, "is a symbolic link"),
        (hostile.a97_link_to_the_solutions, "is a symbolic link"),
        (hostile.a114_submodule_for_the_module, "is a submodule"),
        (hostile.a97_folder_for_the_module, "is a folder"),
        (hostile.a100_large_module, "larger than 64 kB"),
        (hostile.a100_huge_module, "larger than 64 kB"),
        (hostile.a114_pointer_to_a_large_file, "pointer of Git LFS"),
        (lambda right, marker: {WARMUP: None}, "is missing"),
        (hostile.a102_renamed_module, "is missing"),
    ],
    ids=["link-out", "link-to-solutions", "submodule", "folder", "large", "huge", "lfs", "gone", "renamed"],
)
def test_attack_97_and_114_only_a_plain_module_is_taken(read, tmp_path, build, said):
    """Links, submodules, folders, huge blobs and LFS pointers are named in one sentence, and not followed."""
    pull = read(build(RIGHT, tmp_path / "marker"))

    assert pull.changed == ["m00_warmup"]
    assert "m00_warmup" not in pull.submission.sources
    assert said in pull.submission.problems["m00_warmup"]


def test_a_module_that_cannot_be_taken_fails_the_pull_request(store, run):
    """A link in place of a module is a failure with its sentence, in the report and at the file."""
    head = store.commit({**store.tree, ATTENTION: (LINK, "/etc/passwd")}, store.base)

    code, out, _, result, summary = run(head, "--annotations")

    assert code == 1 and [milestone.id for milestone in result.milestones] == ["m04_attention"]
    assert "symbolic link" in result.milestones[0].problem and "symbolic link" in summary
    assert "::error file=exercises/m04_attention.py,title=m04_attention.py could not be graded" in out


def test_an_executable_module_is_only_read(read):
    """The bit that makes a file a program is said, and makes no difference."""
    pull = read({WARMUP: (PROGRAM, RIGHT)})

    assert pull.submission.sources["m00_warmup"].decode() == RIGHT
    assert pull.notes == [f"{WARMUP} was made executable, which changes nothing: it is read and never run."]


@pytest.mark.parametrize("twin", hostile.TWINS)
def test_attack_102_a_twin_of_a_module_is_named_and_not_taken(read, twin):
    """Other case, full-width letters and invisible characters make another file, and fail what it may be taken for."""
    pull = read({twin: RIGHT})

    assert len(pull.notes) == 1 and "was ignored: the module is called m00_warmup.py" in pull.notes[0]
    if "ｍ" in twin:  # no file system takes full-width letters for others
        assert pull.changed == [] and pull.submission.sources["m00_warmup"].decode() == STUBS[WARMUP]
    else:
        assert pull.changed == ["m00_warmup"] and "m00_warmup" not in pull.submission.sources
        assert "which many machines take for it" in pull.submission.problems["m00_warmup"]


@pytest.mark.parametrize("folder", hostile.TWIN_FOLDERS)
def test_attack_102_a_twin_of_the_folder_is_named_and_not_taken(read, folder):
    """A folder that only looks like exercises/ is none, and one that some machines take for it is refused."""
    if "ｅ" in folder:
        pull = read({f"{folder}/m00_warmup.py": RIGHT})
        assert pull.changed == [] and pull.affected(COURSE) == []
        assert "the folder only looks like exercises" in pull.notes[0]
    else:
        with pytest.raises(GitError, match="and exercises are one folder on many machines"):
            read({f"{folder}/m00_warmup.py": RIGHT})


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (hostile.a99_two_modules_of_one_name, "names m00_warmup.py twice"),
        (hostile.a99_module_and_folder_of_one_name, "names m00_warmup.py twice"),
        (hostile.a99_two_folders_of_one_name, "names exercises twice"),
        (hostile.a99_module_named_with_its_path, "exercises/m00_warmup.py leads out of its folder"),
        (hostile.a99_names_in_another_order, "m00_warmup.py is not in its place"),
        (hostile.a99_folder_above, r"\.\. leads out of its folder"),
        (hostile.a99_git_folder_under_another_name, "leads out of its folder, or into git's own"),
        (hostile.a97_module_of_an_unknown_mode, "m00_warmup.py has the unknown mode 10644"),
        (hostile.a100_endless_names, "has a name of more than 1,024 bytes"),
        (hostile.a100_long_message, "was stopped: it holds more than 1,048,576 bytes"),
        (hostile.a102_commit_of_two_trees, "does not name one tree"),
    ],
    ids=lambda given: given.__name__ if callable(given) else "",
)
def test_a_head_that_is_checked_out_otherwise_than_it_is_read_is_refused(read, tmp_path, build, said):
    """Trees and commits that git itself never writes are no pull request, however right the module in them is."""
    with pytest.raises(GitError, match=said):
        read(build(RIGHT, tmp_path / "marker"))


def test_attack_97_a_folder_that_calls_itself_a_file_is_no_module(read, tmp_path):
    """An entry of a file's mode with a folder behind it fails its milestone."""
    pull = read(hostile.a97_folder_behind_a_files_mode(RIGHT, tmp_path))

    assert "content is not in the repository" in pull.submission.problems["m00_warmup"]


def test_attack_100_few_trees_with_many_paths_are_named_once(read, tmp_path):
    """Folders are named and not listed, so that 27,000 paths out of three trees are one name."""
    pull = read(hostile.a100_folders_of_folders(RIGHT, tmp_path))

    assert pull.changed == ["m00_warmup"]
    assert pull.notes == ["Not taken, since only the course's modules are: exercises/data/."]


def test_attack_102_a_package_of_the_modules_name_is_named(read, tmp_path):
    """What Python would import in place of a module is not taken, and the report names it."""
    pull = read(hostile.a102_package_beside_the_module(RIGHT, tmp_path))

    assert pull.changed == [] and pull.notes == [
        "Not taken, since only the course's modules are: exercises/m00_warmup/."
    ]


def test_attack_107_what_changes_modules_at_checkout_is_not_handed_in_with_one(read, tmp_path):
    """With .gitattributes changed beside it a module fails, since git may check out other bytes than were graded."""
    changes = hostile.a107_other_bytes_at_checkout(RIGHT, tmp_path)
    here, inside = (read({WARMUP: RIGHT, f"{folder}.GitAttributes": "x"}) for folder in ("", "exercises/"))

    for pull in (read(changes), here, inside):
        assert pull.changed == ["m00_warmup"] and "m00_warmup" not in pull.submission.sources
        assert "by which git may check out other bytes" in pull.submission.problems["m00_warmup"]
    assert any("It changes .gitattributes" in note for note in read({".gitattributes": "*.py ident\n"}).notes)


def test_a_module_that_both_sides_changed_is_merged_before_it_is_graded(store, read):
    """What a merge would make of two changes is in neither commit, so none of the two is graded in its place."""
    theirs, ours = support.source("solutions", "m04_attention"), STUBS[ATTENTION] + "# newer\n"
    moved = store.commit({**store.tree, ATTENTION: ours}, store.base)

    pull = read({ATTENTION: theirs, WARMUP: RIGHT}, base=moved)
    same = read({ATTENTION: ours}, base=moved)

    assert "the base has changed it since as well" in pull.submission.problems["m04_attention"]
    assert "m04_attention" not in pull.submission.sources and pull.submission.sources["m00_warmup"].decode() == RIGHT
    assert not any("m04_attention" in each for each in same.submission.problems)


def test_modules_that_the_base_has_newer_are_named(store, read):
    """A merge keeps what only the base has changed since; the report says that the head's was graded."""
    moved = store.commit({**store.tree, ATTENTION: STUBS[ATTENTION] + "# newer\n"}, store.base)

    pull = read({WARMUP: RIGHT}, base=moved)

    assert pull.notes == [
        "Graded as the head has it, though the base has another by now, which a merge will keep: m04_attention."
    ]


def test_histories_that_meet_too_often_are_refused(store, monkeypatch):
    """There is a bound on the commits at which two histories meet, each of which is compared."""
    ours, theirs = (store.commit(store.tree, store.base, message=each) for each in ("one", "two"))
    base, head = store.commit(store.tree, ours, theirs), store.commit(store.tree, theirs, ours)
    monkeypatch.setattr(pull_request, "MOST_MEETINGS", 1)

    with pytest.raises(GitError, match="meet in more than 1 commits"):
        pull_request.read(store.folder, base, head, COURSE)


def test_names_of_any_bytes_become_one_harmless_line(read, tmp_path):
    """Line ends, quotes, escapes, commands and bytes that are no UTF-8 in a path cannot leave their sentence."""
    said = read(hostile.a111_names_that_are_commands(RIGHT, tmp_path / "marker")).notes

    assert len(said) == 2
    for sentence in said:
        assert sentence.isprintable() and not re.search(r"::\w", sentence)
    assert "\\xff\\xfe.py" in said[0]


def test_ten_thousand_files_are_counted_and_not_listed(read, tmp_path):
    """However much lies beside the modules, a sentence names a few and counts the rest."""
    pull = read(hostile.a100_thousands_of_files(RIGHT, tmp_path / "marker"))

    assert pull.changed == ["m00_warmup"]
    assert pull.notes[0].endswith("and 9,995 more.") and len(pull.notes[0]) < 300


def test_changes_beyond_all_measure_are_refused(read, monkeypatch):
    """A folder with more names than any student would lay there is refused by its size, in one sentence."""
    monkeypatch.setattr(git_trees, "LARGEST_TREE", 4000)

    with pytest.raises(
        GitError, match=r"the folder exercises of commit .* was stopped: it holds more than 4,000 bytes"
    ):
        read({f"exercises/{number}": "x" for number in range(200)})


@pytest.mark.parametrize("build", [hostile.a97_link_for_the_folder, hostile.a114_submodule_for_the_folder])
def test_something_else_in_place_of_the_folder_is_refused(read, tmp_path, build):
    """exercises/ as a link or a submodule is followed nowhere."""
    with pytest.raises(GitError, match="not a folder"):
        read(build(RIGHT, tmp_path / "marker"))


def test_a_head_without_any_module_is_refused(read):
    """When nothing of the course is left there is nothing to grade, and it is said."""
    with pytest.raises(SubmissionError, match="none of the course's modules"):
        read({**dict.fromkeys(STUBS), "exercises/readme": "x"})


def test_attack_116_what_was_graded_stays_named_after_a_forced_push(store):
    """The record holds the commit and not the branch: pushing it anew changes nothing about what was graded."""
    first = store.commit({**store.tree, WARMUP: RIGHT}, store.base)
    second = store.commit({**store.tree, WARMUP: LOUD}, store.base)
    store.git("update-ref", "refs/heads/work", first)

    pull = pull_request.read(store.folder, "main", "work", COURSE)
    store.git("update-ref", "refs/heads/work", second)

    assert (pull.base, pull.head) == (store.base, first)
    assert pull.submission.folder == f"{first}:exercises" and first in pull.origin


def test_attack_111_a_name_that_is_a_command_is_refused(run):
    """Names with a shell's, git's or a log's syntax in them start nothing, and are one line in the refusal."""
    for name in (
        "$(touch pwned)",
        "--output=pwned",
        "-x",
        "a\n::error::b",
        "main@{upstream}",
        "main:exercises",
        "a b",
        "",
    ):
        code, out, err, _, _ = run(name, "--annotations") if not name.startswith("-") else _in_one_word(run, name)

        assert code == 2 and out == ""
        assert err.count("\n") == 1 and "names no commit" in err and "::" not in err.removeprefix("scratchwork:")
    assert not os.path.exists("pwned")


def test_attack_113_files_that_speak_to_other_steps_are_out_of_reach(store, run, monkeypatch, tmp_path):
    """Nothing that is started while grading inherits the names of the workflow's files, or its tokens."""
    names = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "GITHUB_TOKEN")
    names = (*names, "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")
    for name in names:
        monkeypatch.setenv(name, str(tmp_path / name))

    code, *_ = run(store.base)

    assert code == 0 and not set(names) & set(os.environ)


# ── what cannot be graded ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_commit_that_is_not_there_is_named(store, run):
    """An unknown commit: one sentence, exit code 2."""
    code, _, err, _, _ = run("1" * 40)

    assert code == 2 and f"has no commit {'1' * 40}" in err and err.count("\n") == 1


def test_a_shallow_clone_is_told_to_fetch_the_rest(store, run, tmp_path):
    """Where the commit is missing at which the head left the base, the sentence says how to get it."""
    tip = store.commit({**store.tree, WARMUP: RIGHT}, store.commit(store.tree, store.base, message="between"))
    store.git("update-ref", "refs/heads/tip", tip)
    moved = store.commit({**store.tree, "README.md": "x"}, store.base)
    store.git("update-ref", "refs/heads/moved", moved)
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{store.folder}", clone], check=True
    )

    code, _, err, _, _ = run(tip, base=moved, repository=clone)
    missing, _, gone, _, _ = run(tip, base=store.commit(store.tree, moved, message="later"), repository=clone)

    assert code == 2 and "no commit in common in this shallow clone" in err and "--unshallow" in err
    assert missing == 2 and "has no commit" in gone and "--unshallow" in gone


def test_a_head_of_another_history_is_no_pull_request(store, run):
    """Two histories without a common commit are not compared."""
    code, _, err, _, _ = run(store.commit(store.tree, message="from nowhere"))

    assert code == 2 and "no commit in common in this repository" in err


def test_objects_that_are_missing_are_named(store, run, tmp_path):
    """A head whose blob or tree is not in the store is refused or fails, in a sentence, and nothing is fetched."""
    copy = hostile_git.Repository(tmp_path / "copy")
    base = copy.commit(store.tree)
    head = copy.commit({**store.tree, WARMUP: RIGHT}, base)
    broken = copy.commit({**store.tree, WARMUP: RIGHT, "exercises/x/y": "z"}, base)
    blob, tree = copy.blob(RIGHT.encode()), copy.git("rev-parse", f"{broken}:exercises")
    for name in (blob, tree):
        path = copy.folder / ".git" / "objects" / name[:2] / name[2:]
        path.chmod(0o600)
        path.unlink()

    code, _, _, result, _ = run(head, base=base, repository=copy.folder)
    refused, _, err, _, _ = run(broken, base=base, repository=copy.folder)

    assert code == 1 and "content is not in the repository" in result.milestones[0].problem
    assert refused == 2 and err.count("\n") == 1 and "cannot read" in err


def test_a_folder_without_git_is_none(run, tmp_path):
    """A folder that is no repository: one sentence, exit code 2."""
    code, _, err, _, _ = run("main", repository=tmp_path)

    assert code == 2 and "is no git repository" in err


def test_a_stranger_is_not_graded_at_a_level_for_ones_own_code(store, run, monkeypatch):
    """Without bubblewrap and without root nothing is run: the fault is the machine's, exit code 3."""
    monkeypatch.setattr(levels, "unavailable", lambda level: "not today" if level in levels.OFFICIAL else None)

    code, _, err, result, _ = run(store.commit({**store.tree, WARMUP: RIGHT}, store.base))

    assert code == 3 and result is None and "graded at the level bubblewrap or user only" in err


def test_a_fault_of_the_grader_is_not_the_students(store, run, monkeypatch):
    """When the suites cannot be run: one sentence that is no command, no report, exit code 3."""

    def fail(*_):
        raise GradingError("pytest ended\n::error::oddly")

    monkeypatch.setattr(grading, "grade", fail)

    code, out, err, result, _ = run(store.commit({**store.tree, WARMUP: RIGHT}, store.base), "--annotations")

    assert code == 3 and result is None
    assert "this is a fault of the grader" in err and "::error" not in out + err


def test_a_report_that_cannot_be_written_is_known_before_grading(store, run, tmp_path):
    """A summary in a folder that is not there: one sentence, exit code 2."""
    code, _, err, _, _ = run(store.base, "--summary", str(tmp_path / "no" / "summary.md"))

    assert code == 2 and "there is no folder" in err


def test_a_seed_drawn_at_random_is_told(store, run):
    """With --seed random the record holds the seed, and the report says how to repeat the run at home."""
    head = store.commit({**store.tree, ATTENTION: (LINK, "/etc/passwd")}, store.base)

    _, out, _, result, _ = run(head, "--seed", "random")

    assert result.seed.isdecimal() and result.seed != "0" and not result.secret_seed
    assert f"nox -s grade -- m04 --seed {result.seed}" in " ".join(out.split())


def test_a_course_says_what_is_graded_and_what_it_counts(store, run, tmp_path, monkeypatch):
    """With --course only its milestones are graded, with its points; a module it leaves out is named and not taken."""
    monkeypatch.setenv("COLUMNS", "400")  # a path that is longer than a line would be broken
    course = tmp_path / "our course.toml"
    course.write_text('[course]\nname = "Short"\nmilestones = ["m04"]\n[[milestone]]\nid = "m04"\npoints = 90\n')
    head = store.commit({**store.tree, WARMUP: RIGHT, ATTENTION: (LINK, "/etc/passwd")}, store.base)

    code, out, _, result, summary = run(head, "--course", str(course))

    assert code == 1
    assert [(part.id, part.possible) for part in result.milestones] == [("m04_attention", 90.0)]
    assert "of 90 points" in out and "90" in summary
    assert f"Not taken, since only the course's modules are: {WARMUP}." in result.notes
    assert f"nox -s grade -- m04 --course '{course}'" in " ".join(out.split())

    code, out, err, _, _ = run(head, "--course", str(tmp_path / "none.toml"))
    assert (code, out) == (2, "") and "none.toml cannot be read" in err and err.count("\n") == 1


@systems.strangers
def test_the_command_line_works_in_a_process_of_its_own(store):
    """As a workflow calls it, from the folder of the base: exit code 0 where nothing is to be graded."""
    done = subprocess.run(
        [sys.executable, "-m", "grader", "pull-request", "--repo", store.folder, "--base", "main", "--head", "main"],
        cwd=support.REPOSITORY, capture_output=True, text=True, encoding="utf-8", timeout=200, check=False,
    )  # fmt: skip

    assert done.returncode == 0 and "changes no module of the course" in " ".join(done.stdout.split())


def _in_one_word(run, name):
    """Pass a name that begins with a dash as a shell would: --head=NAME."""
    return run("main", f"--head={name}")


def _result(**milestones):
    """Return a record with one check for each outcome named."""
    parts = []
    for name, outcomes in milestones.items():
        checks = [record.Check(f"test_{number}", "It holds.", outcome) for number, outcome in enumerate(outcomes)]
        parts.append(record.Milestone(name, name, [record.Task(f"{name[:3]}.1", "One", 2.0, checks=checks)]))
    return record.Record("test", "head", "0", "cpu", "bubblewrap", milestones=parts)
