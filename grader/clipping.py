"""How long a record's texts may be: what a submission says, names and raises has no end, and a report must have one."""

from __future__ import annotations

MESSAGE = 10_000  # characters, as all of these
SENTENCE = 1_000  # a title, a mistake, a problem, a note
NAME = 200  # of a file, a function, a task
LINE = 500  # of a source
FRAMES = 20  # of a traceback, the innermost
NOTES = 50


def clip(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: as it is, or its beginning and how much is left out."""
    if len(text) <= limit:
        return text
    said = f" … ({len(text):,} characters in all)"
    return text[: limit - len(said)] + said


def clip_list(notes: list[str], limit: int = NOTES) -> list[str]:
    """Return at most `limit` notes, each of them clipped; the last one says how many are left out."""
    kept = [clip(note, SENTENCE) for note in notes[: limit if len(notes) <= limit else limit - 1]]
    return kept if len(notes) <= limit else [*kept, f"… and {len(notes) - len(kept):,} more notes."]
