"""Hostile pull requests, as commits in real repositories: read, never run, and refused where they mislead.

The numbers in the docstrings are those of docs/security.md.
"""

from __future__ import annotations

import os
import re

import pytest
import support
from attacks import pull_requests as hostile
from attacks.pull_requests import ATTENTION, LOUD, WARMUP
from course_modules import RIGHT, STUBS
from hostile_git import LINK, PROGRAM

from grader.classroom.intake import git_trees
from grader.classroom.intake.git_process import GitError
from grader.judge.fingerprint import grader_version
from grader.pull_request import reading as pull_request
from grader.submission import SubmissionError


def test_attack_107_the_base_decides_and_nothing_of_the_head_lands_on_disk(store, run):
    """A head with its own grader, workflows, noxfile and planted modules changes nothing here."""
    marker = store.folder.parent / "marker"
    hook = store.folder / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    head = store.commit({**store.tree, **hostile.a107_grader_of_its_own(RIGHT, marker)}, store.base)
    before = store.files()

    code, _, _, result, _ = run(head)

    assert code == 1 and result.earned == 0 and result.grader == grader_version(())
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
        pull = pull_request.read(store.folder, store.base, head, support.COURSE)
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
        assert pull.changed == [] and pull.affected(support.COURSE) == []
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
        pull_request.read(store.folder, base, head, support.COURSE)


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

    pull = pull_request.read(store.folder, "main", "work", support.COURSE)
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


def _in_one_word(run, name):
    """Pass a name that begins with a dash as a shell would: --head=NAME."""
    return run("main", f"--head={name}")
