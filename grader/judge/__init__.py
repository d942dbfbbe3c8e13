"""The judge: trusted code that holds inputs, seeds, expected values and the verdict. Suites import from here."""

from grader.counting import counted
from grader.sandbox.conversation import each, everything
from grader.sandbox.errors import StudentError

from . import asked
from .achieved import achieve
from .bounds import expect_bound, expect_ratio
from .compare import expect, expect_close, expect_equal, expect_tensor, expect_unchanged
from .devices import expect_one_device
from .outcomes import CheckFailed
from .raising import expect_answer, expect_raises
from .sentences import sentence
from .tolerances import BFLOAT16, FLOAT16, FLOAT32_LAYER, FLOAT32_MODEL, FLOAT32_OP, FLOAT64, FLOAT64_CONSTANT

__all__ = [
    "BFLOAT16",
    "FLOAT16",
    "FLOAT32_LAYER",
    "FLOAT32_MODEL",
    "FLOAT32_OP",
    "FLOAT64",
    "FLOAT64_CONSTANT",
    "CheckFailed",
    "StudentError",
    "achieve",
    "asked",
    "counted",
    "each",
    "everything",
    "expect",
    "expect_answer",
    "expect_bound",
    "expect_close",
    "expect_equal",
    "expect_one_device",
    "expect_raises",
    "expect_ratio",
    "expect_tensor",
    "expect_unchanged",
    "sentence",
]
