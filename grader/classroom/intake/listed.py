"""A list of git repositories as candidates, each of which is fetched when it is read."""

from __future__ import annotations

from grader.classroom.book.standing import Student
from grader.files import open_regular
from grader.syllabus import Syllabus

from .candidates import Candidate, CollectingError, Source, Taken, is_known
from .git_sources import Listed, ListError, fetch_and_take, read_list
from .platforms.clones import account
from .roster import Claim, Roster

LIST_LIMIT = 4 * 1024 * 1024


def candidates_in_list(source: Source, syllabus: Syllabus, roster: Roster, allow_local: bool) -> list[Candidate]:
    """Return the repositories that a list names. Raises CollectingError for a list that cannot be used."""
    with open_regular(source.path, own=True) as file:
        data = file.read(LIST_LIMIT + 1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CollectingError(f"{source.shown} is no folder, no zip or tar archive, and no list in UTF-8.") from None
    if len(data) > LIST_LIMIT:
        raise CollectingError(
            f"{source.shown} is larger than {LIST_LIMIT // 1024 // 1024} MB, which no list of repositories is."
        )
    try:
        listed = read_list(text, source.shown, source.path.resolve().parent, allow_local)
    except ListError as error:
        raise CollectingError(str(error)) from error
    return [_of_repository(each, syllabus, roster) for each in listed]


def _of_repository(listed: Listed, syllabus: Syllabus, roster: Roster) -> Candidate:
    def take() -> Taken:
        submission, commit, notes = fetch_and_take(listed, syllabus)
        return Taken(submission, listed.shown(commit), notes)

    # Without a name in the list it is the repository's, which on GitHub Classroom ends with the account's.
    word = listed.student or (listed.name if is_known(roster, listed.name) else account(listed.name, "", roster))
    return Candidate(Claim(word), Student(word), listed.shown(), take, listed.handed_in, fetched=True)
