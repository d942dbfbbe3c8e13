"""Right answers in unusual clothes: compiled functions, and whatever syntax this interpreter takes."""

from __future__ import annotations

import sys

import pytest
import support

RIGHT = support.source("solutions", "m00_warmup")

# Since which Python, what stands at the head of the module, and what stands at its end.
SYNTAX = {
    "3.11: groups of exceptions, Self, starred subscripts": (
        (3, 11),
        "from typing import Self\n",
        """
class Chain:
    def then(self) -> Self:
        return self
try:
    raise ExceptionGroup("both", [ValueError(1), TypeError(2)])
except* ValueError:
    pass
except* TypeError:
    pass
match {"a": [1, *range(3)]}:
    case {"a": [first, *_]} if first:
        pass
table = {(1, 2): 3}
assert table[*(1, 2)] == 3
""",
    ),
    "3.12: type parameters, type aliases, quotes inside f-strings": (
        (3, 12),
        "",
        'type Row[T] = list[T]\ndef first[T](row: Row[T]) -> T:\n    return row[0]\nassert f"{first(["a"])}" == "a"\n',
    ),
    "3.13: defaults of type parameters": ((3, 13), "", "class Box[T = int]:\n    pass\n"),
    "3.14: several exceptions without brackets, template strings": (
        (3, 14),
        "",
        'try:\n    pass\nexcept ValueError, TypeError:\n    pass\nassert t"{1}".values == (1,)\n',
    ),
}


@pytest.mark.parametrize("name", [name for name, (since, *_) in SYNTAX.items() if sys.version_info >= since])
def test_the_syntax_of_this_python_is_accepted(name):
    """A right module passes with what the interpreter's own version brought, read and run by the sandbox."""
    _, head, end = SYNTAX[name]
    docstring, rest = RIGHT.split('"""\n', 1)[0], RIGHT.split('"""\n', 1)[1]
    result = support.grade(
        {"m00_warmup": f'{docstring}"""\n{head}{rest}{end}'}, only={"test_two_scores_as_in_the_docstring"}
    )

    assert support.complaints(result) == []
    assert len(support.checks(result)) >= 1


def test_a_function_for_torch_compile_is_accepted():
    """A function compiled without a C++ compiler passes, and a note says beforehand what the sandbox lacks."""
    source = support.source("solutions", "m04_attention")
    source += '\n\nsplit_heads = torch.compile(split_heads, backend="eager")\n'
    result = support.grade_one("m04_attention", source, only={"test_three_tokens_are_cut_for_two_heads"})

    assert support.complaints(result) == []
    assert "no C++ compiler" in " ".join(result.milestones[0].notes)
