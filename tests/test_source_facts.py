"""What is read out of a source before it runs: imports that count and those that don't, and why a line is no Python."""

from __future__ import annotations

import sys

import pytest
import support

from grader.judge import imports
from grader.sandbox.inside import facts

ALLOWED = facts.Allowed(packages=["torch", "numpy"], modules=["m03_embedding", "m04_attention"])


def read(source):
    """Read a source as one that may import torch, numpy, m03 and m04."""
    return facts.read(source.encode(), ALLOWED)


SPARED = {
    "main": 'if __name__ == "__main__":\n    import matplotlib.pyplot as plt\n    plt.show()\n',
    "main turned round": 'if "__main__" == __name__ and True:\n    import matplotlib\n',
    "else of main": 'if __name__ != "__main__":\n    x = 1\nelse:\n    import matplotlib\n',
    "types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib\n",
    "types by module": "import typing as t\nif t.TYPE_CHECKING or False:\n    import matplotlib\n",
    "types unasked": "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import matplotlib\n",
    "guarded": "try:\n    import matplotlib\nexcept ImportError:\n    matplotlib = None\n",
    "guarded in a tuple": "try:\n    import matplotlib\nexcept (OSError, ModuleNotFoundError):\n    pass\n",
    "bare": "try:\n    from matplotlib import pyplot\nexcept:\n    pyplot = None\n",
    "suppressed": "import contextlib\nwith contextlib.suppress(ImportError):\n    import matplotlib\n",
    "guarded in a function": "def f():\n    try:\n        import matplotlib\n    except Exception:\n        return\n",
    "behind a guard": "try:\n    import torch\nexcept ImportError:\n    import matplotlib\n",
    "else of a guard": "try:\n    import matplotlib\nexcept ImportError:\n    x = 1\nelse:\n    import matplotlib.a\n",
}


@pytest.mark.parametrize("source", SPARED.values(), ids=SPARED)
def test_an_import_that_never_runs_or_may_fail_is_allowed(source):
    """Under the main guard, for a type checker, or in a try that goes on: any package may stand there."""
    found = read(source)

    assert found["refused"] == []
    assert found["blocked"] == ["matplotlib"]


REFUSED = {
    "top": "import matplotlib\n",
    "function": "def f():\n    import matplotlib\n",
    "main of its own": '__name__ = "__main__"\nif __name__ == "__main__":\n    import matplotlib\n',
    "main by name": 'globals()["__name__"] = "__main__"\nif __name__ == "__main__":\n    import matplotlib\n',
    "types set": "import typing\ntyping.TYPE_CHECKING = True\nif typing.TYPE_CHECKING:\n    import matplotlib\n",
    "types of another": "from .m03_embedding import TYPE_CHECKING\nif TYPE_CHECKING:\n    import matplotlib\n",
    "types as argument": "def f(TYPE_CHECKING):\n    if TYPE_CHECKING:\n        import matplotlib\n",
    "else of types": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import matplotlib\n",
    "another error": "try:\n    import matplotlib\nexcept ValueError:\n    pass\n",
    "what a guard falls back to": "try:\n    import tqdm\nexcept ImportError:\n    import matplotlib\n",
    "called later": "try:\n    def f():\n        import matplotlib\nexcept ImportError:\n    pass\n",
    "finally": "try:\n    import torch\nexcept ImportError:\n    pass\nfinally:\n    import matplotlib\n",
}


@pytest.mark.parametrize("source", REFUSED.values(), ids=REFUSED)
def test_an_import_that_runs_is_refused(source):
    """Anywhere else, or where the file gives a flag another meaning, a package that is not allowed is refused."""
    found = read(source)

    assert found["refused"] == [["matplotlib", source[: source.index("import matplotlib")].count("\n") + 1]]


def test_both_ways_to_import_an_own_module_may_stand_side_by_side():
    """A try with a dot and without, for a file that is also started by itself, is taken in either order."""
    dotted, bare = "from .m04_attention import merge_heads", "from m04_attention import merge_heads"
    for first, second in ((dotted, bare), (bare, dotted)):
        assert read(f"try:\n    {first}\nexcept ImportError:\n    {second}\n")["refused"] == []


def test_a_shortcut_under_the_main_guard_is_no_use_of_it():
    """Whoever compares with torch's own function when the file is started has not used it here."""
    call = "F.scaled_dot_product_attention(q, k, v)"
    source = f'import torch.nn.functional as F\nif __name__ == "__main__":\n    print({call})\n'

    assert read(source)["uses"] == []
    assert [name for name, _, _ in read(source + f"x = {call}\n")["uses"]] == [
        "torch.nn.functional.scaled_dot_product_attention"
    ]


def told(source, milestone="m05_block"):
    """Return what is said of a source's imports."""
    found = read(source)
    return imports.problems(found["refused"], found["absent"], support.COURSE.milestone(milestone), support.COURSE)


def test_all_that_is_not_allowed_is_told_at_once():
    """Packages, our own modules without a dot, modules that are not there and files that are not taken: all of them."""
    source = (
        "import pandas, os\nfrom sklearn.svm import SVC\nfrom m04_attention import merge_heads\nimport wandb\n"
        "from .m07_generation import greedy\nfrom .my_utils import helper\nfrom . import m03_embedding, other\n"
    )

    assert told(source) == [
        "m05_block.py, line 1: pandas, line 2: sklearn and line 4: wandb may not be imported "
        "(allowed: torch, numpy, regex, jaxtyping, the standard library).",
        "m05_block.py, line 3: m04_attention is reached with a dot: write `from .m04_attention import ...`.",
        "m05_block.py, line 5: m07_generation is not there when m05 is graded: it is made of m04_attention.",
        "m05_block.py, line 6: my_utils and line 7: other is not there: of a folder only the mNN modules are taken. "
        "Put what you need of it into m05_block.py.",
    ]


def test_very_many_refused_imports_stay_one_short_sentence():
    """Of a file full of them some are named and the rest is counted."""
    (sentence,) = told("".join(f"import package{n:02}{'x' * 80}\n" for n in range(40)))

    assert "and 32 more may not be imported" in sentence
    assert len(sentence) < 1000


OLD = sys.version_info < (3, 12)
UNREADABLE = [
    ("x = 1\n%matplotlib inline\n", 2, "%matplotlib is a command for a notebook"),
    ("!pip install torch\n", 1, "!pip is a command for a notebook"),
    ("torch.nn?\n", 1, "torch.nn? is a command for a notebook"),
    ("def f():\n<<<<<<< HEAD\n    return 1\n=======\n    return 2\n>>>>>>> b\n", 2, "<<<<<<< is a mark that git left"),
    ("x = 1\n=======\n", 2, "======= is a mark that git left"),
    ("```python\nx = 1\n```\n", 1, "``` marks code in a text or a chat"),
    (">>> x = 1\n", 1, ">>> is the prompt of a session"),
    ("import torch\npip install torch\n", 2, "pip is a command for a terminal"),
    ("x = \u201ca\u201d\n", 1, "it was copied from a page, so type it anew"),
    ('x = f"{y"\n', 1, "a syntax error: "),
    ("x = (\n", 1, "a syntax error: '(' was never closed"),
    ("x = y?\n", 1, "a syntax error: "),
]
NEWER = [
    ('def f(d):\n    return f"{d["k"]}"\n', 2, "an f-string like this is read from Python 3.12 on"),
    ('x = f"{a} {b["c"]} {d}"\n', 1, "an f-string like this is read from Python 3.12 on"),
    ('x = f"{", ".join(y)}"\n', 1, "an f-string like this is read from Python 3.12 on"),
    ('print(f"{f"{x}"}")\n', 1, "an f-string like this is read from Python 3.12 on"),
    ("x = f\"{'\\n'.join(y)}\"\n", 1, "an f-string like this is read from Python 3.12 on"),
    ("def f[T](x: T) -> T: ...\n", 1, "type parameters in brackets are read from Python 3.12 on"),
    ("type Pair = tuple[int, int]\n", 1, "a type statement is read from Python 3.12 on"),
]


@pytest.mark.parametrize(("source", "line", "words"), UNREADABLE + (NEWER if OLD else []))
def test_what_a_line_is_that_python_cannot_read(source, line, words):
    """The line is named, what stands in it, and what to do."""
    at, text = read(source)["error"]

    assert at == line
    assert words in text
    assert "\n" not in text


@pytest.mark.skipif(OLD, reason="an older Python cannot read them")
@pytest.mark.parametrize("source", [source for source, _, _ in NEWER])
def test_a_newer_python_reads_what_is_new(source):
    """Where the grader runs on a Python that knows them, newer f-strings and type parameters are just code."""
    assert read(source)["error"] is None
