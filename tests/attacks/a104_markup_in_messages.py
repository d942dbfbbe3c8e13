"""Puts HTML, Markdown, terminal codes, CI commands and spreadsheet formulas into exceptions, names and answers.

outcomes: failed
"""

TEXTS = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "\x1b]0;passed\x07\x1b[2J\x1b[32mAll checks passed\x1b[0m",
    "\n::add-mask::passed\n::stop-commands::x\n##vso[task.complete result=Succeeded]done\n",
    '=cmd|"/c calc"!A1', "+1+1", "@SUM(1)", "|a|b|\n|-|-|\n", "](javascript:alert(1))", "```\n# Passed\n",
    "]]><testcase name='passed'/>", "\u202edessap\u2066", "\ud800",
)


def causal_mask(*args, **kwargs):
    print("".join(TEXTS).encode("utf-8", "replace").decode())
    raise type(TEXTS[0], (ValueError,), {"__module__": TEXTS[3]})("".join(TEXTS))


def scaled_dot_product_attention(*args, **kwargs):
    return {text: [text, type(text[:50], (), {})()] for text in TEXTS if text.isprintable()}
