"""Who on a roster has a name, in the letters that a platform leaves of it, and whichever way round it stands.

Always the whole name: a part of it, or one that is merely close, finds nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from grader.classroom.book.standing import Student

from ..roster import Roster, folded, turned

_STRIPPED_BY_MOODLE = re.compile(r"[\x00-\x1f\x7f-\x9f&<>\"`|':\\/]|\.\.+")


def as_canvas_writes(text: str) -> str:
    """Return the letters and digits of a name: "Lovelace, Ada" -> "lovelaceada".

    Source: canvas-lms, lib/content_zipper.rb, sanitize_user_name and sanitize_file_name; the underscore is dropped as
    well here, on both sides.
    """
    letters = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def as_moodle_writes(text: str) -> str:
    """Return a name without what no file of Moodle's may be called: "O'Brien" -> "obrien".

    Source: moodle, lib/moodlelib.php, clean_filename and clean_param (PARAM_FILE).
    """
    return folded(_STRIPPED_BY_MOODLE.sub("", text))


class People:
    """A roster's students by their names and groups, as one platform writes them."""

    def __init__(self, roster: Roster, letters: Callable[[str], str]) -> None:
        self.roster, self._letters = roster, letters
        self._names: dict[str, list[Student]] = {}
        self._groups: dict[str, list[Student]] = {}
        for student in roster.students:
            for name in {letters(each) for each in ways_round(student.name)} - {""}:
                self._names.setdefault(name, []).append(student)
            for group in {letters(each) for each in roster.known_by(student).groups} - {""}:
                self._groups.setdefault(group, []).append(student)

    def named(self, written: str) -> list[Student]:
        """Return everybody who has this name, one way round or another."""
        return self._names.get(self._letters(turned(written)), [])

    def members(self, group: str) -> list[Student]:
        """Return who is in a group, in the roster's order."""
        return self._groups.get(self._letters(group), [])


def ways_round(name: str) -> Sequence[str]:
    """Return a name with each of its words first: "Ada King Lovelace" -> also "Lovelace Ada King"."""
    words = name.replace(",", " ").split()
    return [" ".join(words[start:] + words[:start]) for start in range(len(words))]
