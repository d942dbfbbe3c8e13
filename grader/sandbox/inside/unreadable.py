"""Why Python cannot read a source, in the words of whoever wrote it: what stands in that line, and what to do."""

from __future__ import annotations

import re
import sys

HERE = f"this is Python {sys.version_info.major}.{sys.version_info.minor}"
CONFLICT = re.compile(r"(<{7}|>{7}|\|{7})( |$)|={7}$")
SHELL = re.compile(r"(pip3?|conda|apt|apt-get|git|python3?|cd|nox|uv) +[\w./-]")
GENERIC = re.compile(r"(class|def|async def) +\w+ *\[")
ALIAS = re.compile(r"type +\w+ *(\[.*\])? *=")
TEMPLATE = re.compile(r"(?<![\w'\"])([tT][rR]?|[rR][tT])(?=['\"])")
# An f-string with its own quotes inside braces that are still open, as in f"{names["first"]}".
NESTED = re.compile(
    r"[fF][rR]?(['\"])(?!\1\1)(?:(?!\1)[^{]|\{\{|\{(?:(?!\1)[^{}])*\})*\{(?:(?!\1)[^}])*\1(?:(?!\1).)*\1.*\}"
)
LONGEST = 400  # characters of a line that is looked through
NEWER_F_STRING = ("backslash", "cannot include '#'", "f-string: unmatched", "nested too deeply")


def explained(error: SyntaxError, text: str) -> tuple[int, str]:
    """Return the line that Python stumbles over and what is wrong with it, as the rest of a sentence."""
    lines = text.splitlines()
    number = error.lineno or 1
    line = lines[number - 1].strip()[:LONGEST] if 0 < number <= len(lines) else ""
    for at, each in enumerate(lines, 1):
        if each.startswith(("<<<<<<< ", ">>>>>>> ")):
            return at, conflict(each)
    return number, _of_line(line) or _of_error(error, line)


def conflict(line: str) -> str:
    """Say what the mark of a merge is."""
    return f"{line[:7]} is a mark that git left where two versions disagree; keep one of them and remove all marks"


def _of_line(line: str) -> str:
    """Say what a line is that belongs somewhere else, or return an empty string."""
    word = line.split(maxsplit=1)[0][:40] if line else ""
    if CONFLICT.match(line):
        return conflict(line)
    if line.startswith(("%", "!", "?")) or (line.endswith("?") and line.rstrip("?").replace(".", "").isidentifier()):
        return f"{word} is a command for a notebook, which Python itself does not know; remove the line"
    if line.startswith("```"):
        return "``` marks code in a text or a chat, and is no part of it; remove the line"
    if line.startswith((">>> ", "$ ", "In [")):
        return f"{word} is the prompt of a session that was copied; keep what was typed after it"
    if SHELL.match(line) and "=" not in line.split(maxsplit=1)[0]:
        return f"{word} is a command for a terminal, and not for a Python file; remove the line"
    if sys.version_info < (3, 12) and GENERIC.match(line):
        return f"type parameters in brackets are read from Python 3.12 on, and {HERE}; use typing.TypeVar, or none"
    if sys.version_info < (3, 12) and ALIAS.match(line):
        return f"a type statement is read from Python 3.12 on, and {HERE}; write Name = ... instead"
    if sys.version_info < (3, 14) and TEMPLATE.search(line) and not line.startswith("#"):
        return f"a t-string is read from Python 3.14 on, and {HERE}; use an f-string"
    return ""


def _of_error(error: SyntaxError, line: str) -> str:
    message = str(error.msg)
    in_f_string = message.startswith("f-string") or "f-string" in message
    if sys.version_info < (3, 12) and (NESTED.search(line) or (in_f_string and _newer(message))):
        return (
            f"an f-string like this is read from Python 3.12 on, and {HERE}; inside its braces use the other kind of "
            "quotes, and no backslash or comment"
        )
    if message.startswith(("invalid character", "invalid non-printable character")):
        return f"a syntax error: {message}; it was copied from a page, so type it anew"
    return f"a syntax error: {message}"


def _newer(message: str) -> bool:
    return any(words in message for words in NEWER_F_STRING)
