"""Stretch goals: measured for right code alone, kept, and compared with nobody but oneself."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import re

import own_room
import pytest
import support
from rich.console import Console

from grader import cli, record
from grader import course as courses
from grader.commands import stretching as command
from grader.judge import stretching
from grader.judge.grading import forget_room
from grader.reports.terminal.stretch import Measured, amount, render_measured, verdict
from grader.stretches import Stretches, goal_of
from grader.submission import Submission, collect
from grader.suites.shared import stretching as shared
from grader.syllabus import Stretch

COURSE = support.COURSE
GOALS = [milestone for milestone in COURSE.milestones if milestone.stretch is not None]
SMALLER = {"STEPS": 20, "DOCUMENTS": 400, "SIZE": 20_000, "NEW": 16}

# What is written below a solution so that it does not do what is measured, and what is said of it then.
CHEATS = {
    "m01_tokenizer": ("Tokenizer.encode = lambda self, text, allow_special=True: [0] * 9", "ids"),
    "m02_data": ("own = get_batch\n\ndef get_batch(*words):\n    return 2 * own(*words)[:1]", "targets"),
    "m04_attention": ("MultiHeadAttention.forward = lambda self, x: self.c_proj(x)", "result"),
    "m06_gpt": ("next_token_loss = lambda scores, targets: scores.square().mean()", "loss"),
    "m07_generation": ("generate_cached = lambda model, ids, new, **_: torch.cat([ids, ids[:, :new]], 1)", "logit"),
    "m08_training": ("train = lambda *_, **__: [0.0]\n\nrecipe = lambda: {'peak': -1.0}", "recipe()"),
    "m09_scaling": ("ShardedAdamW.step = lambda self: None", "on rank 0 differs"),
    "m10_finetuning": ("last_token = lambda hidden, mask: hidden[:, -1]", "last token"),
    "m12_preference": ("clipped_loss = lambda logp, old, gains, mask, eps=0.2: -(logp * gains).mean()", "clipped"),
    "m13_quantization": ("quantize_model = lambda model, skip=(): []", "float model"),
    "m14_pruning": ("apply_masks = lambda model, masks: None", "weights are 0 in the end"),
    "m15_llama": ("Llama.forward = lambda self, ids: self.lm_head(self.embed_tokens(ids))", "result"),
    "m16_bert": ("pretraining_loss = lambda scores, labels, follows: scores[0].mean()", "loss"),
    "m20_serving": ("sse_event = lambda data: b'data: [DONE]\\n\\n'", "how often"),
    "m17_retriever": ("BM25.search = lambda self, query, k: [(0, 1.0)] * k", "document"),
    "m19_library": ("own = read_tensors\nread_tensors = lambda data: (dict([own(data)[0].popitem()]), {})", "sum"),
}  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    """Measures as short as they can be."""
    monkeypatch.setattr(shared, "LEAST", 0.0)
    monkeypatch.setattr(stretching, "ROUNDS", 1)
    for milestone in GOALS:
        module = importlib.import_module(f"grader.suites.{milestone.id}.stretch")
        for name, value in SMALLER.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)


def measure(milestone, source=None):
    """Measure a milestone's solution, or another text in its place."""
    mine = collect(support.REPOSITORY / "solutions", COURSE)
    if source is not None:
        mine = Submission("mine", mine.sources | {milestone.id: source.encode()})
    return stretching.figures(milestone, COURSE, mine, support.sandbox("inline"), support.weights())


@pytest.mark.parametrize("milestone", GOALS, ids=lambda milestone: milestone.id)
def test_right_code_gets_a_figure_and_wrong_code_none(milestone, quick):
    """A solution is measured; code that does not do the work is told what is wrong, and gets no figure."""
    (figure,) = measure(milestone)
    assert figure > 0

    below, said = CHEATS[milestone.id]
    with pytest.raises(stretching.NotMeasured, match=said.replace("(", r"\(").replace(")", r"\)")):
        measure(milestone, f"{support.source('solutions', milestone.id)}\n\n{below}\n")


def test_every_measure_has_its_goal_and_every_goal_its_measure():
    """A room has a stretch.py exactly where its entry states a goal, and each goal is tried here."""
    with_measure = {milestone.id for milestone in COURSE.milestones if (milestone.room / "stretch.py").is_file()}
    stated = {m.id for m in COURSE.milestones if "[stretch]" in (m.room / "milestone.toml").read_text(encoding="utf-8")}

    assert with_measure == stated == {milestone.id for milestone in GOALS} == set(CHEATS)


def test_a_recipe_is_followed(quick):
    """The figures of m08 follow the student's own recipe: without a rate nothing is learned."""
    milestone = COURSE.milestone("m08")
    source = support.source("solutions", "m08_training")

    (usual,) = measure(milestone)
    (still,) = measure(milestone, source + "\n\ndef recipe():\n    return {'peak': 0.0, 'floor': 0.0}\n")

    assert usual < still


def test_the_guides_say_what_a_recipe_is_made_of_by_default():
    """The numbers in the guides of m08, m12, m14 and m16 are the measure's where a recipe says nothing."""
    learning = importlib.import_module("grader.suites.m08_training.stretch").RECIPE
    rounds = importlib.import_module("grader.suites.m12_preference.stretch")
    paid = {name: rounds.Rounds.RECIPE[name] for name in rounds.OWN}

    pruned = importlib.import_module("grader.suites.m14_pruning.stretch").usual()

    holes = importlib.import_module("grader.suites.m16_bert.stretch").USUAL

    for number, recipe in (("m08", learning), ("m12", paid), ("m14", pruned), ("m16", holes)):
        guide = " ".join(COURSE.milestone(number).guide.read_text(encoding="utf-8").split())
        values = [str(value) for value in recipe.values()]
        said = re.search(r"returns a dict with (.*?) Otherwise they are (.*?\d)\. Change", guide)
        assert said is not None
        assert re.findall(r"`(\w+)`", said[1]) == list(recipe)
        assert said[2] == f"{', '.join(values[:-1])} and {values[-1]}"


def test_the_same_code_learns_as_much_again(quick):
    """A round has the same inputs in each run, so a loss moves only when the code does."""
    milestone = COURSE.milestone("m08")

    assert measure(milestone) == pytest.approx(measure(milestone), rel=1e-4)


def test_a_room_that_a_course_brings_has_its_goal_too(tmp_path):
    """The measure of a course's own room is found in the room and may use what lies beside it."""
    file = own_room.write(tmp_path)
    room = file.parent / "rooms" / own_room.NAME
    goal = '[stretch]\ntitle = "Climb higher"\nfigure = "rungs"\nunit = "rungs"\n\n[[task]]'
    (room / "milestone.toml").write_text(own_room.ENTRY.replace("[[task]]", goal, 1), encoding="utf-8")
    (room / "stretch.py").write_text(
        "from . import oracle\n\n\ndef measure(student, draw, data, weights):\n"
        "    return len(student.climb(max(oracle.heights())))\n",
        encoding="utf-8",
    )
    course = courses.load(file, COURSE).syllabus(COURSE)
    milestone = course.milestone("x01")
    sources = {own_room.NAME: own_room.SOLUTION, "m00_warmup": support.source("solutions", "m00_warmup")}
    mine = Submission("mine", {name: text.encode() for name, text in sources.items()})

    try:
        found = stretching.figures(milestone, course, mine, support.sandbox("inline"), support.weights())
    finally:
        forget_room(milestone.id)

    assert milestone.stretch.title == "Climb higher"
    assert found == [6.0, 6.0, 6.0]


# ── what is kept ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_runs_are_compared_within_a_folder_and_a_goal_alone(tmp_path):
    """Figures are found again under their folder, milestone and goal, the oldest first."""
    path = tmp_path / "state" / "stretch.json"
    for figure in (1.5, 2.5):
        Stretches(path).remember(tmp_path, "m07_generation", "goal", "2026-11-29", [figure])

    assert [run.figures for run in Stretches(path).earlier(tmp_path, "m07_generation", "goal")] == [[1.5], [2.5]]
    assert Stretches(path).earlier(tmp_path, "m07_generation", "another") == []
    assert Stretches(path).earlier(tmp_path / "x", "m07_generation", "goal") == []


def test_another_measure_device_or_torch_is_another_goal(tmp_path, monkeypatch):
    """What a figure depends on besides the code is part of what it is compared by."""
    milestone = COURSE.milestone("m07")
    goals = {
        goal_of(milestone, "cpu", "bubblewrap", "torch 2"),
        goal_of(milestone, "cuda", "bubblewrap", "torch 2"),
        goal_of(milestone, "cpu", "process", "torch 2"),
        goal_of(milestone, "cpu", "bubblewrap", "torch 3"),
        goal_of(COURSE.milestone("m04"), "cpu", "bubblewrap", "torch 2"),
    }

    assert len(goals) == 5


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"schema": "scratchwork-stretch/2", "runs": []}'])
def test_a_damaged_file_is_said_and_kept_aside(tmp_path, content):
    """A file that holds no runs is one sentence, and lies beside the new one afterwards."""
    path = tmp_path / "stretch.json"
    path.write_bytes(content)

    kept = Stretches(path)
    kept.remember(tmp_path, "m07_generation", "goal", "2026-11-29", [1.0])

    assert "could not be read" in kept.trouble
    assert (tmp_path / "stretch.spoiled.json").read_bytes() == content
    assert len(json.loads(path.read_text())["runs"]) == 1


@pytest.mark.parametrize("figures", [[], [0.0], [-1.0], ["1"], [True], [float("inf")], None])
def test_a_run_that_is_none_is_lost_alone(tmp_path, figures):
    """Of several runs those that can be used are."""
    path = tmp_path / "stretch.json"
    good = {"folder": str(tmp_path.resolve()), "milestone": "m07_generation", "goal": "g", "day": "d", "figures": [2.0]}
    path.write_text(json.dumps({"schema": "scratchwork-stretch/1", "runs": [good | {"figures": figures}, good, 3]}))

    assert [run.figures for run in Stretches(path).earlier(tmp_path, "m07_generation", "g")] == [[2.0]]


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────────────────


def measured(rounds, before=None, *, less=False, seeds=False):
    """Return figures to be shown."""
    goal = Stretch("Write faster", "new tokens", "tokens a second", less, seeds)
    return Measured("m07", goal, rounds, (before, "2026-11-28") if before else None, 3 if before else 0)


@pytest.mark.parametrize(
    ("rounds", "before", "less", "said"),
    [
        ([700.0, 710.0], None, False, "This is your first run: the next ones are compared with it."),
        (
            [700.0, 710.0],
            [400.0, 390.0],
            False,
            "Your best before, of 3 runs, was 400 on 2026-11-28: this is 1.77 times better.",
        ),
        ([700.0, 710.0], [1420.0], False, "was 1,420 on 2026-11-28: this is 2.00 times worse."),
        ([700.0, 710.0], [680.0], False, "this is 4.4% better."),
        ([600.0, 710.0], [680.0], False, "the same, as far as rounds that lie 15% apart can tell."),
        ([1.05, 1.06], [1.20, 1.30], True, "was 1.200 on 2026-11-28: this is 1.14 times better."),
        ([1.05, 1.06], [1.00, 1.04], True, "this is 5.0% worse."),
    ],
)
def test_a_figure_stands_beside_ones_own_best(rounds, before, less, said):
    """Better, worse and the same are said as far as the rounds can tell, and the first run has nothing beside it."""
    found = measured(rounds, before, less=less)
    out = io.StringIO()
    render_measured(found, Console(file=out, width=60))

    assert said in verdict(found)
    assert amount(found.value) in out.getvalue() and "rounds" in out.getvalue()
    assert all(len(line) <= 60 for line in out.getvalue().splitlines())


@pytest.mark.parametrize(
    ("rounds", "before", "less", "said"),
    [
        ([0.2, 0.3, 0.1], None, True, "This is your first run"),
        ([0.2, 0.3, 0.1], [0.3, 0.4, 0.2], True, "was 0.300 on 2026-11-28: this is 1.50 times better, with each of"),
        ([0.3, 0.4, 0.2], [0.2, 0.3, 0.1], True, "was 0.200 on 2026-11-28: this is 1.50 times worse, with each of"),
        ([0.2, 0.3, 0.1], [0.3, 0.4, 0.05], True, "1.25 times better on average, but with 2 of 3 seeds: that may"),
        ([0.2, 0.3, 0.1], [0.1, 0.2, 0.3], True, "this is the same."),
        ([2.0, 4.0], [1.0, 2.0], False, "2.00 times better, with each of 2 seeds."),
        ([2.0, 1.0], [1.5, 3.0], False, "1.50 times worse on average, but with 1 of 2 seeds: that may be luck."),
        ([2.0, 4.0], [1.5], False, "2.00 times better."),
    ],
)
def test_what_is_learned_counts_by_the_mean_of_its_seeds(rounds, before, less, said):
    """Where rounds differ by the seed, their mean counts and not the luckiest, and seeds are compared one by one."""
    found = measured(rounds, before, less=less, seeds=True)
    out = io.StringIO()
    render_measured(found, Console(file=out, width=200))

    assert said in verdict(found)
    assert f"{amount(sum(rounds) / len(rounds))} tokens a second (the mean of {len(rounds)} seeds: " in out.getvalue()
    assert "best of" not in out.getvalue() and "round" not in out.getvalue()


def test_goals_of_what_is_learned_are_measured_by_seeds():
    """Every goal whose figure is a quality counts by the mean of its seeds, and every speed by its best round."""
    qualities = {m.number for m in GOALS if "second" not in m.stretch.unit and "/s" not in m.stretch.unit}

    assert {milestone.number for milestone in GOALS if milestone.stretch.seeds} == qualities
    assert qualities == {"m08", "m09", "m10", "m12", "m14", "m16"}
    for number in qualities:
        guide = " ".join(COURSE.milestone(number).guide.read_text(encoding="utf-8").split())
        assert "Each recipe is run with the same three seeds, and their mean counts." in guide, number


class Bench:
    """A practice whose sandbox is there."""

    def __init__(self, *names, folder=None):
        self.course, self.folder = COURSE, folder
        self.chosen = [COURSE.milestone(name) for name in names]
        self.workers, self.weights = support.sandbox("inline"), support.weights()
        self.options = argparse.Namespace(device="cpu")

    def start(self):
        """It stands already."""

    def on_its_ground(self, submission):
        """It stands on nothing else."""
        return submission


def result_of(*names, outcome=record.PASSED):
    """Return a run in which these milestones ended so."""
    check = record.Check("test_it", "It holds.", outcome, [record.VALUE])
    milestones = []
    for name in names:
        milestone = COURSE.milestone(name)
        tasks = [record.Task(task.id, task.title, task.points, checks=[check]) for task in milestone.tasks]
        milestones.append(record.Milestone(milestone.id, milestone.title, tasks))
    return record.Record("0.1", "exercises", "0", "cpu", "inline", environment="torch 2", milestones=milestones)


def shown(tmp_path, monkeypatch, bench, result):
    """Measure and return what was said."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path))
    out = io.StringIO()
    command.measure_all(bench, None, result, Console(file=out, width=100))
    return out.getvalue()


def test_what_has_passed_is_measured_and_remembered(tmp_path, monkeypatch):
    """Two runs of one goal: the second is compared with the first."""
    rounds = iter([[700.0, 690.0, 695.0], [900.0, 890.0, 899.0]])
    monkeypatch.setattr(stretching, "figures", lambda *_: next(rounds))
    bench, result = Bench("m07", folder=tmp_path), result_of("m07")

    assert "700 tokens a second (the best of 3 rounds, which lie 1% apart)" in shown(
        tmp_path, monkeypatch, bench, result
    )
    assert "was 700 on" in shown(tmp_path, monkeypatch, bench, result)


def test_the_best_of_earlier_runs_is_the_one_of_the_best_mean(tmp_path, monkeypatch):
    """A run with one lucky seed is not one's own best where the mean counts."""
    rounds = iter([[1.0, 9.0, 9.0], [5.0, 5.0, 5.0], [4.0, 4.0, 4.0]])
    monkeypatch.setattr(stretching, "figures", lambda *_: next(rounds))
    bench, result = Bench("m08", folder=tmp_path), result_of("m08")

    shown(tmp_path, monkeypatch, bench, result)
    shown(tmp_path, monkeypatch, bench, result)
    text = " ".join(shown(tmp_path, monkeypatch, bench, result).split())

    assert "4.000 nats a word (the mean of 3 seeds: 4.000, 4.000, 4.000)" in text
    assert "Your best before, of 2 runs, was 5.000 on" in text and "1.25 times better, with each of 3 seeds." in text


def test_what_has_not_passed_or_has_no_goal_is_said(tmp_path, monkeypatch):
    """A milestone that is open is measured later, and one without a goal names those that have one."""
    open_ = shown(tmp_path, monkeypatch, Bench("m07", folder=tmp_path), result_of("m07", outcome=record.FAILED))
    assert "it is measured once the milestone has passed" in open_
    some = result_of("m07")
    some.milestones[0].tasks = some.milestones[0].tasks[:1]
    assert "it is measured once" in shown(tmp_path, monkeypatch, Bench("m07", folder=tmp_path), some)
    none = shown(tmp_path, monkeypatch, Bench("m00", folder=tmp_path), result_of("m00"))
    assert "No stretch goal is set here; there are some for m01" in none
    assert not (tmp_path / "stretch.json").exists()


def test_code_that_does_not_do_the_work_is_said(tmp_path, monkeypatch):
    """What went wrong in a measure stands in its place, and nothing is remembered."""

    def figures(*_):
        raise stretching.NotMeasured("The ids differ.")

    monkeypatch.setattr(stretching, "figures", figures)

    assert "Write faster: The ids differ." in shown(
        tmp_path, monkeypatch, Bench("m07", folder=tmp_path), result_of("m07")
    )
    assert not (tmp_path / "stretch.json").exists()


@pytest.mark.parametrize(("option", "said"), [("--official", "measures no stretch goals"), ("--debug", "debugger")])
def test_no_goal_is_measured_where_it_would_mean_nothing(option, said, capsys):
    """Official runs and debuggers refuse --stretch in a sentence before anything is graded."""
    assert cli.main(["grade", "m07", "--stretch", option]) == 2
    assert said in capsys.readouterr().err
