"""What several checks of m06_gpt do."""

import pytest

from grader.judge import StudentError, expect

from . import oracle

SIZES = oracle.SIZES
LAYOUTS = ("plain", "prefixed", "masks", "prefixed_masks_head", "head", "float16")
REFUSED = {
    "head": "an lm_head.weight that equals wte.weight is refused: there it may be",
    "masks": "causal masks are refused: drop what ends in .attn.bias or .attn.masked_bias before keys are compared",
    "prefixed": "keys with `transformer.` in front are refused: take it off, where it is",
}
NEEDED = {
    "head": "lm_head.weight is asked for: it may be left out, since wte.weight is the same tensor",
    "prefixed": "keys without `transformer.` in front are lost: the prefix may be there or not",
}
NO_MASK = "c_attn.bias is taken for a mask: a mask's name ends in .attn.bias, dot included"


LARGE = pytest.mark.checkpoint(copies=8)  # the file, the state, the model, and what a solution makes on the way


def ids_and_state(draw, sizes=SIZES, seq=7):
    """Draw ids and weights for a model."""
    return draw.integers(0, sizes["vocab_size"], 4, seq), oracle.random_state(draw, sizes)


def load(student, model, state, layout):
    """Load a checkpoint that fits; when it is refused, try the other layouts too: which of them fit says why."""
    try:
        student.load_gpt2(model, oracle.checkpoint(state, SIZES, layout))
    except StudentError as error:
        expect(
            error.kind not in ("ValueError", "KeyError"),
            f"Your code raised {error}.",
            mistake=refusal(student, state, error.text),
        )
        raise


def refusal(student, state, text):
    """Return the mistake that refuses just the layouts that are refused, if there is one."""
    refused = set()
    for layout in LAYOUTS:
        try:
            student.load_gpt2(student.GPT(student.GPTConfig(**SIZES)), oracle.checkpoint(state, SIZES, layout))
        except StudentError:
            refused.add(layout)
    for part, mistake in REFUSED.items():
        if refused == {layout for layout in LAYOUTS if part in layout}:
            return mistake
    for part, mistake in NEEDED.items():
        if refused == {layout for layout in LAYOUTS if part not in layout}:
            return mistake
    return NO_MASK if refused == {*LAYOUTS} and ".c_attn.bias" in text else None
