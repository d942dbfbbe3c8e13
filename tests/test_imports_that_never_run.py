"""Right code with a plot, a progress bar or a debugger's leavings in it: what is taken and what is said of the rest."""

from __future__ import annotations

import support

from grader.judge.preflight import COMPILER, slow_to_import
from grader.sandbox.inside import facts

SOLUTION = support.source("solutions", "m00_warmup")
ONE = {"test_two_scores_as_in_the_docstring"}
EXTRAS = """
try:
    import matplotlib.pyplot as plt
    from tqdm import tqdm
except ImportError:
    plt = None

    def tqdm(items):
        return items


if __name__ == "__main__":
    import seaborn

    import wandb
"""
TRIED = """
try:
    import psutil
except ImportError:
    pass
else:
    raise RuntimeError("found")
"""


def complaints(source, **options):
    """Grade m00's first check; return what is said of it."""
    return support.complaints(support.grade_one("m00_warmup", source, only=ONE, **options))


def problem(source):
    """Return what is said of m00 when it cannot be used."""
    (milestone,) = support.grade_one("m00_warmup", source, only=ONE).milestones
    return milestone.problem


def test_a_guarded_import_falls_back_and_a_main_block_stays_out():
    """Packages that the sandbox lacks may stand in a guarded try and under the main guard, and nothing is lost."""
    assert complaints(SOLUTION + EXTRAS) == []


def test_a_guarded_import_finds_nothing_at_a_level_that_hides_nothing():
    """At the process level psutil is installed; a submission that may not import it gets its fallback there too."""
    assert complaints(SOLUTION + TRIED, level="process") == []


def test_all_forbidden_imports_stand_in_the_report():
    """The milestone's problem names each import that is not allowed, with its line."""
    said = problem(f"import pandas\nimport sklearn\n{SOLUTION}")

    assert "line 1: pandas and line 2: sklearn may not be imported (allowed: torch, numpy," in said


def test_a_question_to_a_person_is_named():
    """A module that asks with input() when it is imported is told the line, what it waits for, and what to do."""
    said = problem(f'name = input("Who? ")\n{SOLUTION}')

    assert "m00_warmup.py cannot be imported: line 1: input() waits for somebody to type, and nobody is there" in said


def test_a_breakpoint_left_in_a_function_is_named():
    """A check that comes by a breakpoint() says so."""
    found = SOLUTION.index('"""', SOLUTION.index('"""', SOLUTION.index("def softmax")) + 3) + 3

    (said,) = complaints(f"{SOLUTION[:found]}\n    breakpoint()\n{SOLUTION[found:]}")

    assert "breakpoint() waits for somebody to type, and nobody is there" in said


def warm(source):
    """Return what workers of a file had better have imported."""
    return slow_to_import([facts.read(source.encode(), facts.Allowed(packages=["torch"]))])


def test_what_torch_imports_late_is_imported_once_for_a_milestone():
    """Files that speak of an optimizer, determinism or the compiler get workers that have its second of imports."""
    assert warm("import torch\nimport torch.nn.functional as F\nF.gelu\n") == ()
    assert warm("from torch import optim\ndef f(p):\n    return optim.SGD(p)\n") == ("torch._dynamo",)
    assert warm("from torch.optim import Adam\n") == ("torch._dynamo",)
    assert warm("import torch as t\nt.use_deterministic_algorithms(True)\n") == (
        "torch._dynamo",
        "torch._inductor.config",
    )
    assert warm("import torch\n@torch.compile\ndef f(): ...\n") == COMPILER
    assert warm("import torch._dynamo\n") == ("torch._dynamo",)


def test_a_file_that_calls_for_determinism_imports_nothing_slow_itself():
    """What torch.use_deterministic_algorithms imports is there before the file's first line runs."""
    loaded = 'assert {"torch._dynamo", "torch._inductor.config"} <= sys.modules.keys()'

    assert complaints(f"import sys\n\n{loaded}\n{SOLUTION}\ntorch.use_deterministic_algorithms(True)\n") == []
