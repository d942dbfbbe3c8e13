r"""Prints a fake result record, fake test output, CI commands and terminal escape sequences, and returns nothing of use.

outcomes: failed
"""

import json
import sys

FAKE = {"schema": "scratchwork-record/1", "earned": 15.0, "possible": 15.0, "milestones": [{"id": "m04_attention"}]}


def show():
    print(json.dumps(FAKE))
    print("::notice title=Grade::15 of 15 points\n::add-mask::0\n::set-output name=score::100\n::stop-commands::x")
    print("##vso[task.complete result=Succeeded;]\n##[group]all passed\n##teamcity[testFinished name='all']")
    print("===== 45 passed in 0.01s =====\n15 of 15 points\nnox > Session grade was successful.")
    print("\x1b[2J\x1b[H\x1b[1;32mAll passed: 15 of 15 points\x1b[0m\x1b]0;passed\x07\x1b]8;;http://example.org\x07x\x1b]8;;\x07")
    print("\x1b]52;c;cm0gLXJmIH4=\x07\x9b31m\x90q\x9c\x1bc\x1b[?1049h\x1b[5;1H\x1b[6n \r15 of 15 points \x08\x08\x7f")
    print("</system-out></testcase><testcase name='fake'/>]]> <script>alert(1)</script> | a | table | @everyone #1")
    print("```\n# heading out of the fence\n~~~\n\u202egnissap\u202c \u2066x\u2069 \ud800 \x00 \ufeff [[ATTACHMENT|/etc/passwd]]")
    sys.stderr.write("\x1b[A\x1b[K" * 50 + "\n")
    sys.stderr.buffer.write(b"\xff\xfe\x80\x1b[31m\x9b0m\n")
    sys.stderr.flush()


show()


def causal_mask(*args, **kwargs):
    show()
    return "\x1b[2J\x1b[31m15 of 15 points\x1b[0m\r\n::error::x\u202e\x00"


def scaled_dot_product_attention(*args, **kwargs):
    show()
    raise type("\x1b[31mPassed\x1b[0m\n::notice::\u202e", (Exception,), {})("\x1b]0;x\x07\x1b[2J all good | `x` <b> \x00 \ud800")
