"""What `nox -s tests` runs, what it leaves out, and that it says so."""

from __future__ import annotations

import types

import attacks_support as arena
import proving
import pytest
import support
import systems
import test_attacks
import torch

from grader import record
from grader.submission import Submission


@pytest.fixture
def session(monkeypatch):
    """Start the session `tests` with arguments, and return what it would have run."""
    noxfile, ran = support.noxfile(), []
    monkeypatch.setattr(noxfile, "run", lambda _session, *arguments: ran.append(arguments))

    def start(*arguments):
        noxfile.tests(types.SimpleNamespace(posargs=list(arguments)))
        return ran.pop()

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return start


def test_a_milestones_name_asks_for_its_room(session):
    """Milestones run what belongs to them, in several processes as the whole does."""
    assert [word for word in session("m04", "m05_block") if "room" in word] == [
        "--room=m04_attention",
        "--room=m05_block",
    ]
    assert session("m04")[:-1] == session()


def test_anything_else_goes_to_pytest(session):
    """Files and options are pytest's own, beside a milestone's name too."""
    assert session("tests/test_judge.py", "-k", "m04") == ("-m", "pytest", "tests/test_judge.py", "-k", "m04")
    assert session("m99") == ("-m", "pytest", "m99")


@pytest.mark.parametrize("milestone", ["m04_attention", "m05_block"])
def test_a_test_that_is_asked_of_a_milestone_belongs_to_its_room(request, milestone):
    """A parameter that is the milestone's id decides, and no other test of the file."""
    assert support.belongs(request.node, [milestone])
    assert not support.belongs(request.node, ["m06_gpt"])


def test_what_belongs_to_a_room_is_found_in_the_files_that_are_read_for_it(request):
    """No file that is left out before it is imported holds a test of a milestone."""
    own = [item for item in request.session.items if support.belongs(item, support.MILESTONES)]

    assert {item.path for item in own if not support.may_belong(item.path, support.MILESTONES)} == set()


def test_an_attack_is_tried_at_a_level_or_counted_as_left_out():
    """At each level every attack is run or stands in the last lines of a run."""
    tried = {tuple(pair.values) for pair in test_attacks.at_its_levels(test_attacks.ATTACKS)}

    for attack in test_attacks.ATTACKS:
        for level in attack.levels:
            counted = any(f"at the level {level}" in what and attack.name in n for what, n in support.left_out.items())
            assert ((attack, level) in tried) != counted, (attack.name, level)


@systems.bubblewrap
def test_what_is_graded_after_an_attack_is_told_of_with_it(monkeypatch):
    """A submission that does not pass after an attack is complained of there, and changes nothing of its record."""
    attack = next(attack for attack in arena.attacks() if attack.milestone == arena.RIGHT and not attack.limits)
    broken = {arena.RIGHT: support.source("exercises", arena.RIGHT).encode()}
    fight = arena.fight.__wrapped__

    right = fight(attack, "bubblewrap")
    monkeypatch.setattr(arena, "_right", lambda: Submission("submission", broken))
    spoiled = fight(attack, "bubblewrap")

    assert right.complaints_afterwards == []
    assert len(spoiled.complaints_afterwards) == len(attack.checks)
    assert all("not_started" in complaint for complaint in spoiled.complaints_afterwards)
    assert support.complaints(spoiled.record) == support.complaints(right.record)


def test_what_is_graded_together_ends_as_it_does_alone():
    """In a session of many modules each has the outcomes, messages and mistakes that it has by itself."""
    milestone, mask = "m04_attention", "test_true_in_the_mask_means_may_look"
    own = [mutant for name, mutant in support.mutants() if name == milestone and mutant["check"] == mask][:2]
    names = frozenset({mask, "test_three_tokens_see_themselves_and_what_came_before"})
    sources = [support.mutate(milestone, mutant) for mutant in own]
    sources += [support.source("solutions", milestone), "def broken(:", support.source("exercises", milestone)]

    together = proving.tried(milestone, [proving.Trial(source, (names,)) for source in sources])

    assert len(own) == 2
    for source, (checks,) in zip(sources, together, strict=True):
        alone = support.checks(support.grade_one(milestone, source, only=set(names)))
        assert [(c.id, c.outcome, c.message, c.mistake) for c in checks] == [
            (c.id, c.outcome, c.message, c.mistake) for c in alone
        ]


@pytest.mark.parametrize("milestone", ["m02_data", "m04_attention"])
def test_a_mutant_ends_inside_the_judge_as_it_does_in_the_sandbox(milestone):
    """Of a sample each has the outcomes, messages and mistakes there that it has where it was always tried."""
    sample = [mutant for name, mutant in support.mutants() if name == milestone][::12]
    trials = [proving.Trial(support.mutate(milestone, each), (frozenset({each["check"]}),)) for each in sample]

    inside = proving.tried_inside(milestone, trials, lambda number, groups: True)

    assert len(sample) > 4 and seen(inside) == seen(proving.tried(milestone, trials))


def seen(found):
    """What is to be compared of the checks of some trials."""
    return [
        [[(check.id, check.outcome, check.message, check.mistake) for check in group] for group in groups]
        for groups in found
    ]


HERE = "import sys as _sys\n\n_HERE = 'inside.session' not in _sys.modules  # inside the judge, and in no worker\n"
MASK = "test_true_in_the_mask_means_may_look"
CLOCK = "test_one_warm_up_and_five_calls_are_the_default"


@systems.bubblewrap
@pytest.mark.parametrize(
    ("milestone", "check", "otherwise", "outcome"),
    [
        ("m04_attention", MASK, "def scaled_dot_product_attention(*_):\n    while _HERE:\n        pass", record.FAILED),
        ("m04_attention", MASK, "if not _HERE:\n    scaled_dot_product_attention = split_heads", record.FAILED),
        ("m00_warmup", CLOCK, "if _HERE:\n    time_call = lambda call, **_: [call() for _ in range(5)]", record.PASSED),
    ],
    ids=["that it does not end", "that it is not rejected", "that it is rejected by a measurement"],
)
def test_some_of_what_is_seen_inside_the_judge_is_not_believed(monkeypatch, milestone, check, otherwise, outcome):
    """What was found there but for this is tried again in the sandbox, whose word it is."""
    monkeypatch.setattr(proving, "PATIENCE", 0.5)
    source = f"{support.source('solutions', milestone)}\n\n{HERE}\n{otherwise}"

    (((ended,),),) = proving.tried_inside(
        milestone, [proving.Trial(source, (frozenset({check}),))], lambda _, groups: groups[0][0].outcome != "passed"
    )

    assert ended.outcome == outcome and "Endless" not in ended.message, ended


def test_what_a_mutant_has_switched_for_all_of_torch_is_switched_back():
    """Who is tried after it inside the judge ends as it would alone, and the judge is what it was."""
    milestone, switches = "m04_attention", "torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)"
    before, solution = (torch.get_default_dtype(), torch.is_grad_enabled()), support.source("solutions", milestone)
    trials = [proving.Trial(text, (frozenset({MASK}),)) for text in (f"{solution}\n\n{switches}\n", solution)]

    _, ((ended,),) = proving.tried_inside(milestone, trials, lambda *_: True)

    assert ended.outcome == record.PASSED, ended
    assert (torch.get_default_dtype(), torch.is_grad_enabled()) == before


def test_of_a_group_no_check_runs_after_the_first_that_rejects():
    """Where one failure is proof enough, the checks before it ran and passed, and none came after it."""
    milestone = "m04_attention"
    checks = support.checks_by_task(milestone)["m04.1"]
    solution = support.source("solutions", milestone)

    ((stub,), (right,)) = proving.tried(
        milestone,
        [
            proving.Trial(text, (frozenset(checks),), until=proving.REJECTED)
            for text in (solution + "\n\ndef causal_mask(*_):\n    return None\n", solution)
        ],
    )

    assert [check.outcome for check in stub][-1] != record.PASSED
    assert {check.outcome for check in stub[:-1]} <= {record.PASSED}
    assert {check.outcome for check in right} == {record.PASSED} and len(right) > len(stub)
