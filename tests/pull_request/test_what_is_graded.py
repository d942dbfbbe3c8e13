"""What of a pull request is graded, what it is held to account for, and what the reports say.

The numbers in the docstrings are those of docs/security.md.
"""

from __future__ import annotations

import re

import support
from attacks.pull_requests import ATTENTION, LOUD, WARMUP
from course_modules import RIGHT

from grader import practice, record
from grader.pull_request import reading as pull_request


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
    names = [milestone.id for milestone in pull.affected(support.COURSE)]

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
    pull = pull_request.read(store.folder, base, head, support.COURSE)
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


def _result(**milestones):
    """Return a record with one check for each outcome named."""
    parts = []
    for name, outcomes in milestones.items():
        checks = [record.Check(f"test_{number}", "It holds.", outcome) for number, outcome in enumerate(outcomes)]
        parts.append(record.Milestone(name, name, [record.Task(f"{name[:3]}.1", "One", 2.0, checks=checks)]))
    return record.Record("test", "head", "0", "cpu", "bubblewrap", milestones=parts)
