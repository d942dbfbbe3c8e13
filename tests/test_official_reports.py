"""No form of an official report holds a string, a name or a number that the submission's process sent."""

from __future__ import annotations

import dataclasses

import pytest
import support
from every_report import texts

from grader.judge.grading import grade
from grader.judge.planned import Options
from grader.reports.student_view import student_view
from grader.submission import Submission

MARK, NUMBER = "Kilroy", 73531  # what a submission says, and what no report may repeat
INSIDE = 'import sys\nSession = sys.modules["inside.session"].Session\n'
RAISES = f"""
import torch
from torch import nn

class {MARK}(ValueError):
    pass

KIND, PLACE = {MARK}, __file__.replace("m04_attention", "{MARK}")
exec(compile("\\n" * {NUMBER} + "def {MARK}(error):\\n    raise error", PLACE, "exec"))
raises = {MARK}
"""  # a class's name, a function's, a file's and a line's number


def function(body: str, before: str = "") -> str:
    """Return a module whose causal_mask has this body."""
    return f"{RAISES}\n{before}\n\ndef causal_mask(seq, device=None):\n    {body}\n"


def layer(inside: str) -> str:
    """Return a module whose layer has this inside."""
    return f"""{RAISES}
class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(d_model, 3 * d_model, bias=bias), nn.Linear(d_model, d_model, bias=bias)
        {inside}
"""


REPORT = {
    "kind": MARK,
    "bases": [MARK],
    "text": MARK,
    "frames": [[f"{MARK}.py", NUMBER, MARK]],
    "mistake": MARK,
    "notes": [MARK],
    "title": MARK,
    "blocked_by": MARK,
    "official": MARK,
}
VOICES = {
    "an exception's class, text and place": function(f"raises(type('{MARK}', (KIND,), {{}})('{MARK} {NUMBER}'))"),
    "one of Python's own exceptions": function(f"raises(KeyError('{MARK}', {NUMBER}))"),
    "an exception without a text": function(f"raises(type('{MARK}', (Exception,), {{'__str__': lambda e: 1 / 0}}))"),
    "another task's name": function(f"raises(NotImplementedError('m{NUMBER}.1 {MARK}'))"),
    "a task that there is not": function("raise NotImplementedError('m73.531')"),
    "a text": function(f"return '{MARK} {NUMBER}'"),
    "keys": function(f"return {{'{MARK}': {NUMBER}, {NUMBER}: '{MARK}'}}"),
    "an object's type": function("return KIND"),
    "an object": function(f"return type('{MARK}', (), {{'__module__': '{MARK}'}})()"),
    "numbers": function(f"return torch.full((seq, seq), {NUMBER})"),
    "a shape": function(f"return torch.ones({NUMBER}, dtype=torch.bool)"),
    "output": function(f"print('{MARK} {NUMBER}')"),
    "what is missing": f"{RAISES}\ndef __getattr__(name):\n    raise AttributeError('{MARK} {NUMBER}')\n",
    "how it ends": function(f"sys.exit('{MARK} {NUMBER}')", "import sys"),
    "an exit code": function("os._exit(173)", "import os"),
    "an error report": function(
        f"Session._failure = lambda *args: ({{'error': {REPORT}}}, [])\n    raise KIND", INSIDE
    ),
    "no value": function(f"Session._reply = lambda *args: ({{'ok': {{'{MARK}': {NUMBER}}}}}, [])", INSIDE),
    "no reply": function(f"Session.handle = lambda *args: ({{'{MARK}': {NUMBER}}}, [])", INSIDE),
    "shortcuts": function(f"Session._reply = lambda *args: ({{'ok': 1, 'shortcuts': ['{MARK}']}}, [])", INSIDE),
    "a part's name": layer(f"self.register_buffer('{MARK} {NUMBER}', torch.ones(3))"),
    "a part's shape": layer(f"self.c_proj = nn.Linear({NUMBER}, 1)"),
    "a question": layer(f"raises(KIND('{MARK}'))"),
    "an exception at import": f"{RAISES}\nraises(KIND('{MARK} {NUMBER}'))\n",
    "an exception without a text at import": f"{RAISES}\nraise type('{MARK}', (BaseException,), {{}})\n",
    "a syntax error of its own": f"raise SyntaxError('{MARK}', (__file__.replace('m04', '{MARK}'), {NUMBER}, 1, ''))",
    "an exit at import": f"import sys\nsys.exit('{MARK} {NUMBER}')\n",
    "an exit code at import": "import os\nos._exit(173)\n",
    "no reply at import": f"{INSIDE}Session.handle = lambda *args: ({{'{MARK}': {NUMBER}}}, [])\n",
    "a file": f"{INSIDE}Session._failure = lambda *args: ({{'error': '{MARK}'}}, [])\nraise ValueError\n",
}
CHECKS = {
    "test_three_tokens_see_themselves_and_what_came_before",
    "test_its_state_is_two_linear_layers",
    "test_the_mask_fits_every_length",
}
SAID = (MARK, str(NUMBER), "173", "m73")


def graded(source: str, prerequisites: str):
    """Return the record of a run that counts, and of the same run as practice."""
    options = Options(["m04_attention"], CHECKS, prerequisites, seed="a seed to keep", secret_seed=True)
    submission = Submission("submission", {"m04_attention": source.encode()})
    made = grade(options, support.COURSE, submission, support.sandbox(), support.weights())
    return dataclasses.replace(made, isolation="bubblewrap", official=True), made


@pytest.mark.parametrize("prerequisites", ["submission", "solutions"])
@pytest.mark.parametrize("voice", VOICES)
def test_an_official_report_repeats_nothing_that_the_worker_said(voice, prerequisites):
    """Whatever the worker says something by, no form of an official report holds it, beside solutions or not."""
    official, _ = graded(VOICES[voice], prerequisites)

    assert not official.passed and official.earned == 0
    reports = texts(student_view(official))
    # Hashes of sources and what the dice hang on are the judge's own, and may hold any digits.
    own = [name for milestone in official.milestones for name in (milestone.sources, milestone.dice) if name]
    for name, text in reports.items():
        for each in own:
            text = text.replace(each, "")
        assert not [said for said in SAID if said in text], f"{name}: {text}"


def test_a_practice_report_repeats_most_of_it():
    """Of what the voices say practice shows most: else the test above could not fail."""
    shown = [
        voice
        for voice, source in VOICES.items()
        if any(s in texts(graded(source, "submission")[1])["json"] for s in SAID)
    ]

    assert len(shown) >= 0.6 * len(VOICES), set(VOICES) - set(shown)


def test_no_title_of_an_official_report_shows_a_parameter():
    """A parametrised check is told from the others by a number, also in its title: what it is given may be an input."""
    names = {"test_other_dtypes_go_in_and_come_out"}
    options = Options(["m04_attention"], names, seed="a seed to keep", secret_seed=True)
    submission = Submission("submission", {"m04_attention": b"def scaled_dot_product_attention(*_): return 1"})
    made = grade(options, support.COURSE, submission, support.sandbox(), support.weights())
    official = dataclasses.replace(made, isolation="bubblewrap", official=True)

    assert "[float16]" in texts(made)["json"]
    for name, text in texts(student_view(official)).items():
        assert "float16]" not in text, name
