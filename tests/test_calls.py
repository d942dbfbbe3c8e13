"""The call that failed, as Python that makes it again: for every check, bounded, and never of a run with a secret."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy
import pytest
import support
import torch

from grader import environment, failures, resting, trying
from grader.judge import CheckFailed, StudentError, calls, expect_answer, expect_raises
from grader.judge.grading import grade as grade_run
from grader.judge.planned import Options
from grader.judge.spelling import MOST_KEPT, CannotSpell, Speller
from grader.sandbox.conversation import Callback, Handle, Items
from grader.sandbox.requests import MOST_FIRST, MOST_LAST, Requests
from grader.submission import Submission

UNSCALED = support.source("solutions", "m04_attention").replace(" / d_head**0.5", "")


def failing(milestone, source, only=None, **settings):
    """Grade a module and return what failed: task -> its calls."""
    sources = {name: text.encode() for name, text in support.with_needs(milestone, source).items()}
    planned = []
    options = Options([milestone], only, keep_calls=True, **settings)
    result = grade_run(
        options, support.COURSE, Submission("mine", sources), support.sandbox(), support.weights(), None, planned.extend
    )
    failed = {task.id for m in result.milestones for task in m.tasks if task.outcome in resting.BROKEN}
    found = {}
    for check in planned:
        if check.calls is not None:
            found.setdefault(check.task.id, check.calls)
    return failed, found


def run_file(path):
    """Run what was written, as its own program would be, and return what it printed and its names."""
    out, names = io.StringIO(), {"__name__": "__main__"}
    with contextlib.redirect_stdout(out):
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return out.getvalue(), names


@pytest.fixture
def written(tmp_path):
    """Return what writes a module's failures beside it."""

    def write(milestone, source, only=None):
        for name, text in support.with_needs(milestone, source).items():
            (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        failed, found = failing(milestone, source, only)
        assert found.keys() == failed, "each task that fails has its calls"
        failures.keep(tmp_path / "state", tmp_path, {task: (milestone, one) for task, one in found.items()}, failed)
        return tmp_path / "state", found

    yield write
    trying.modules(tmp_path, [])  # what was imported from there is forgotten


def test_the_last_failure_can_be_run(written):
    """Its file makes the inputs and calls the student's function, which gives what the check was given."""
    state, found = written("m04_attention", UNSCALED)

    printed, _ = run_file(state / "last_failure.py")

    assert printed == "tensor([[7.6000]])\n"
    assert found["m04.2"].shown[-1].startswith("scaled_dot_product_attention(torch.tensor([[2.0, 0.0, 0.0, 0.0]])")


def test_the_last_failure_runs_in_the_environment_whatever_python_starts_it(written, monkeypatch):
    """By hand it is mostly started with a Python that lacks torch: nox's own runs the same file instead."""
    state, _ = written("m04_attention", UNSCALED)
    path, started = str(state / "last_failure.py"), []
    monkeypatch.setattr(environment, "NEEDED", ("a_package_that_nobody_has",))
    monkeypatch.setattr(environment.sys, "argv", [path])
    monkeypatch.setattr(environment.os.path, "isfile", lambda path: True)
    monkeypatch.setattr(environment.os.path, "samefile", lambda one, other: False)
    monkeypatch.setattr(environment, "instead", lambda python, arguments: started.append((python, arguments)) or 7)

    with pytest.raises(SystemExit) as ends:
        run_file(state / "last_failure.py")

    assert ends.value.code == 7
    assert [(Path(python).parts[-4:-2], arguments) for python, arguments in started] == [((".nox", "env"), [path])]


@pytest.mark.parametrize(
    ("milestone", "old", "new"),
    [
        ("m04_attention", " / d_head**0.5", ""),
        ("m06_gpt", "nn.ModuleList(\n", "list(\n"),
        ("m01_tokenizer", 'yield from self.encode("".join(before))', "yield 0"),
        ("m17_retriever", "descending=True", "descending=False"),
    ],
    ids=["tensors and modules", "helpers in the worker", "callbacks and files", "texts"],
)
def test_every_failure_of_a_milestone_is_written_and_runs(written, milestone, old, new):
    """Each task's lines run to their end, or to an exception out of the student's own code."""
    source = support.source("solutions", milestone)
    state, found = written(milestone, source.replace(old, new) if old in source else spoiled(source))

    assert found
    for task in found:
        path = failures.path_of(state, task)
        assert path.stat().st_size < 200_000
        error = None
        try:
            run_file(path)
        except Exception as raised:
            error = raised
        assert error is None or "state_dict" in str(error) or in_the_students_code(error), f"{task}: {error!r}"


def in_the_students_code(error):
    """Whether an exception passed through a student's module."""
    packages, trace = [], error.__traceback__
    while trace is not None:
        packages.append(trace.tb_frame.f_globals.get("__package__"))
        trace = trace.tb_next
    return trying.PACKAGE in packages


def spoiled(source):
    """Return a module whose functions all return the wrong thing: the last return gives None."""
    head, _, tail = source.rpartition("    return ")
    return f"{head}    return None  # {tail}"


def test_a_secret_seed_leaves_no_calls():
    """Of a run with a secret seed, as an official one has, and of one beside solutions, nothing is kept."""
    only = {sorted(support.checks_by_task("m04_attention")["m04.2"])[0]}
    failed, found = failing("m04_attention", UNSCALED, only)
    assert found.keys() == failed == {"m04.2"}
    for settings in ({"secret_seed": True, "seed": "a secret of sixteen"}, {"prerequisites": "solutions"}):
        failed, found = failing("m04_attention", UNSCALED, only, **settings)
        assert (failed, found) == ({"m04.2"}, {})
        assert Options(["m04_attention"], keep_calls=True, **settings).keep_calls is False


def test_what_passes_again_is_forgotten(written, tmp_path):
    """A later run in which a task passes removes its lines, and the last failure if it was that one's."""
    state, found = written("m04_attention", UNSCALED)
    first, *_ = found
    assert failures.path_of(state, first).exists()

    failures.keep(state, tmp_path, {}, found)

    assert not list(state.rglob("*.p[yt]"))


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────


VALUES = [
    None, True, 3, -2.5, float("inf"), "text", 'quo"te\n', b"\x00\xff", [1, [2.0, "a"]], (1,), {"a": [1]}, {3, 4},
    torch.tensor([[0.1, -3.0]]), torch.tensor(5), torch.tensor([True, False]), torch.tensor([0.1], dtype=torch.float64),
    torch.tensor([1.5, float("nan")], dtype=torch.bfloat16), torch.empty(0, 3), torch.float16, torch.device("cpu"),
    numpy.array([1.5, 2.5], dtype=numpy.float32), torch.arange(1000), "x" * 5000, list(range(500)),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=[f"{place}" for place in range(len(VALUES))])
def test_a_value_is_spelt_so_that_it_comes_back(value):
    """What the code makes is the value again, type and all; what is large has a name and is kept."""
    speller = Speller(lambda _: None)
    code = speller.spell(value)
    again = eval(code, {"torch": torch, **speller.kept})  # our own code, made of our own values

    assert len(code) < 400
    assert type(again) is type(value)
    if isinstance(value, torch.Tensor):
        assert again.dtype == value.dtype and torch.equal(again.nan_to_num(), value.nan_to_num())
    elif isinstance(value, numpy.ndarray):
        assert again.dtype == value.dtype and (again == value).all()
    else:
        assert again == value


def test_what_is_kept_is_bounded():
    """More than some megabytes are not kept, and a value of an unknown kind is not spelt at all."""
    speller = Speller(lambda _: None)
    with pytest.raises(CannotSpell):
        speller.spell(torch.zeros(MOST_KEPT // 4 + 1))
    with pytest.raises(CannotSpell):
        speller.spell(object())


def a_handle(number, kind="exercises.m04_attention.Layer"):
    """Return something that stayed in a worker."""
    return Handle(None, number, kind, True)


def test_requests_are_bounded_and_those_of_the_end_are_kept():
    """Of thousands of requests the first and the last ones are kept, and the lines say that there were more."""
    requests = Requests()
    for number in range(5000):
        requests.note("call", {"target": 1, "args": [number], "kwargs": {}}).answer = number
    made = calls.written(requests, {"f": a_handle(1)}, "m04.1", "A check.", "cpu", 7)

    assert len(requests.first) + len(requests.last) == MOST_FIRST + MOST_LAST
    assert made.lines[0].startswith("# The check does more")
    assert made.lines[-1] == "result = f(4999)" and made.shown == ("f(4999)",)


@pytest.mark.parametrize(
    "expectation",
    [
        lambda call: expect_answer(call, 2, simpler=(1,), mistake="2 is looked up"),
        lambda call: expect_raises("ValueError", call, 2, fine=(1,)),
    ],
    ids=["answer", "raises"],
)
def test_the_call_that_fails_stays_the_last_one(expectation):
    """Where a second call with simpler arguments tells what an error comes of, the first one is what is shown."""
    requests, asked = Requests(), []

    def call(value):
        requests.note("call", {"args": (value,)})
        requests.gave(requests, value)
        asked.append(value)
        if value == 2:
            raise StudentError("IndexError", ["IndexError"], "out of range")

    with pytest.raises((StudentError, CheckFailed)):
        expectation(call)
    assert asked == [2, 1]
    assert [noted.fields["args"] for noted in requests.first] == [(2,)]
    assert requests.given == {id(requests): [2]}
    call(3)
    assert len(requests.first) == 2


def test_a_value_that_a_check_changed_afterwards_is_not_shown_as_it_was():
    """A tensor that was changed in place after it was sent is no longer what was sent, and is left out."""
    requests, x = Requests(), torch.zeros(2)
    requests.note("call", {"target": 1, "args": [x], "kwargs": {}})
    x += 1

    assert calls.written(requests, {"f": a_handle(1)}, "m04.1", "A check.", "cpu", 7) is None


def test_names_out_of_the_worker_are_letters_alone():
    """A type in the worker may be called anything: no more than letters of it gets into a line."""
    requests = Requests()
    for kind in ("x.a = 1; import os #", "exercises.m.Häßlich\nimport os", "é", "x." + "A" * 500):
        requests.note("call", {"target": 1, "args": [], "kwargs": {}}).answer = a_handle(len(kind) + 5, kind)
        requests.note("length", {"target": len(kind) + 5})
    made = calls.written(requests, {"f": a_handle(1)}, "m04.1", "A check.", "cpu", 7)

    assert len(made.lines) == 8
    assert not [line for line in made.lines if "import" in line or not line.isascii() or "\n" in line]


def test_functions_of_the_judge_answer_as_they_did():
    """A callback is replaced by one that gives the same answers, an iterator by the items that were taken."""
    requests = Requests()
    callback, items = Callback(lambda: None, lambda *_: ()), Items(iter("never"))
    for answer in (1, 2):
        requests.gave(callback, answer)
    requests.gave(items, "a")
    requests.note("call", {"target": 1, "args": [callback, items], "kwargs": {}})
    made = calls.written(requests, {"f": a_handle(1)}, "m04.1", "A check.", "cpu", 7)

    assert made.lines[-1] == "result = f(answering([1, 2]), iter(['a']))"
    answer = trying.answering([1, 2])
    assert [answer(), answer("more"), answer()] == [1, 2, 2]
