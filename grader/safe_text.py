"""Text from students, made harmless.

Whatever a submission printed, raised or is named is hostile: it may hold escape sequences that rewrite the screen,
characters that turn the reading order round, commands to a CI log, or markup of the format it is put into.
`clean` is for every format; the other functions add what one format needs on top and call `clean` themselves.
"""

from __future__ import annotations

import html
import re
import unicodedata

_ESCAPE_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, the clipboard
    r"|\x1b[ -/]*[0-~]"  # everything else, down to a full reset
)
_LINE_END = re.compile(r"\r\n?")
# Nobody can see these, or they change what is seen around them. U+FE0E, U+FE0F and U+FFFD stay: they are honest.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LATER_JAMO = re.compile("[\u1160-\u11ff\ud7b0-\ud7ff]")
MOST_MARKS = 3  # on one letter: a Hebrew one has up to three with its vowel, an Arabic or Thai one two
_CI_COMMAND = re.compile(r"::(?=\s*[A-Za-z])|##(?=\[|vso|teamcity)")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")
_REFERENCE = re.compile(r"(@|#(?=\w)|GH-(?=\d)|www\.(?=\w)|:(?=//))", re.IGNORECASE)
_FORMULA = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
_BREAK = "&#8203;"  # a space of no width: the one way to keep GitHub from linking, since it reads entities as text


def clean(text: str) -> str:
    r"""Drop escape sequences and write every character that can't be seen as its code.

    What is left prints the same everywhere, encodes to UTF-8 and may stand in XML. Lines and tabs stay.

    Example: "\x1b[31mred\x1b[0m \u202e" -> "red \\u202e".
    """
    text = _ESCAPE_SEQUENCE.sub("", text)
    text = _LINE_END.sub("\n", text)
    text = _HIDDEN.sub(_code, text)
    return text if text.isascii() else _unstacked(text)


def one_line(text: str, limit: int = 300) -> str:
    """Clean the text and put it on one line of at most `limit` characters."""
    line = " ".join(clean(text[: 20 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."


def excerpt(text: str, limit: int = 500, lines: int = 12) -> str:
    """Clean the text and keep its beginning and its end, with a notice between them when something is left out.

    The end gets a good third: who prints while hunting a mistake looks at the last lines first.
    """
    # Cutting before cleaning keeps megabytes cheap; escape sequences make text longer than what it shows.
    whole = text if len(text) <= 40 * limit else text[: 20 * limit] + "\n" + text[-20 * limit :]
    shown = clean(whole).strip("\n").rstrip()
    rows = shown.split("\n")
    if whole is text and len(shown) <= limit and len(rows) <= lines:
        return shown
    head_lines, head_limit = (2 * lines) // 3, (5 * limit) // 8
    head = "\n".join(rows[:head_lines])[:head_limit]
    rest = shown[len(head) :].lstrip("\n").split("\n")
    tail = "\n".join(rest[-(lines - head_lines) :])[-(limit - head_limit) :]
    left_out = len(text) - len(head) - len(tail)
    parts = [head, f"[... {left_out:,} characters left out ...]", tail]
    return "\n".join(part for part in parts if part)


def without_ci_commands(text: str) -> str:
    """Break what a CI system would obey if it stood in its log, such as `::error::` or `##[group]`.

    For everything that is printed. `x[::2]` stays as it is; `x[::step]` gains a space.
    """
    return _CI_COMMAND.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


def markdown_prose(text: str) -> str:
    """Return one line for running Markdown text or a table: no markup, no HTML, no link, nobody notified."""
    text = _REFERENCE.sub(_unlinked, one_line(text, 1000))
    parts = [html.escape(part, quote=False) for part in text.split(_BREAK)]
    return _BREAK.join(_MARKDOWN.sub(r"\\\1", part) for part in parts)


def markdown_html(text: str) -> str:
    """Return one line for raw HTML inside Markdown, such as a summary, where a backslash escapes nothing."""
    parts = _REFERENCE.sub(_unlinked, one_line(text, 1000)).split(_BREAK)
    return _BREAK.join(html.escape(part, quote=True) for part in parts)


def markdown_code(text: str) -> str:
    """Return one line as a Markdown code span, also inside a table."""
    text = one_line(text, 1000).replace("|", "\\|")
    ticks = "`" * (_longest_run(text) + 1)
    return f"{ticks} {text} {ticks}" if "`" in text or not text else f"{ticks}{text}{ticks}"


def markdown_fence(text: str) -> str:
    """Return the text as a fenced block whose fence is longer than any row of backticks in it."""
    text = clean(text)
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def html_text(text: str) -> str:
    """Return the text for an HTML page, between tags or inside a quoted attribute."""
    return html.escape(clean(text), quote=True)


def csv_cell(text: str) -> str:
    """Return the text for a cell that a spreadsheet will not take for a formula; quoting is the csv module's."""
    text = clean(text)
    return f"'{text}" if text.lstrip(" \n\t'\"").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _unstacked(text: str) -> str:
    """Drop all but the first marks of a stack of them, which would be drawn over the lines above and below.

    Every script's: what Unicode calls a mark without a width, or one around a letter, and whatever else it combines.
    """
    marks = "".join(letter for letter in set(text) if _is_mark(letter))
    return re.sub(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+", r"\1", text) if marks else text


def _is_mark(letter: str) -> bool:
    kind = unicodedata.category(letter)
    # Terminals give the signs that begin a number or a group (Cf), and the later parts of a Korean syllable, no width.
    return kind in ("Mn", "Me", "Cf") or unicodedata.combining(letter) > 0 or bool(_LATER_JAMO.match(letter))


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _unlinked(found: re.Match[str]) -> str:
    return found[0] + _BREAK if not found[0].startswith("www") else f"{found[0][:3]}{_BREAK}."


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
