"""The gradebook's tables, as one SQL script for each version of the schema; a book is brought up to date on opening.

run       one start of the batch: which grader, under which conditions
student   who is known; `position` is the line of the roster, NULL for somebody who is not on it (any more)
handin    what somebody handed in, each time that it was another thing than before
result    one graded milestone; nothing is ever changed or removed here
standing  which result counts from then on, one row for each change; the latest row of a student's milestone holds.
          A row with a fault in place of a result says why there was none, until a later row.
source    the text of a module, once for everybody who has handed in the same
module    which module somebody handed in, and when; of a student's module the latest row is what later milestones stand
          on. A row with a problem in place of a source says why the file could not be taken.
doubt     what came in of which it is not clear whose it is, or what is in it: who may be meant, with which module;
          without a reason somebody has said that it is nobody's
decision  what a person decided about marks; of the same kind, student, milestone and task the latest row holds, and one
          with an empty value takes it back
"""

from __future__ import annotations

APPLICATION = 0x53637774  # "Scwt": what tells a gradebook from any other SQLite file

SCRIPTS = (
    """
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        started TEXT NOT NULL,
        ended TEXT,
        grader TEXT NOT NULL,
        conditions TEXT NOT NULL,
        official INTEGER NOT NULL,
        isolation TEXT NOT NULL
    ) STRICT;
    CREATE TABLE student (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        position INTEGER
    ) STRICT;
    CREATE TABLE handin (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run,
        student TEXT NOT NULL REFERENCES student,
        origin TEXT NOT NULL,
        handed_in TEXT NOT NULL,
        problem TEXT NOT NULL,
        notes TEXT NOT NULL
    ) STRICT;
    CREATE INDEX handin_of_student ON handin (student, id);
    CREATE TABLE result (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run,
        student TEXT NOT NULL REFERENCES student,
        milestone TEXT NOT NULL,
        sources TEXT NOT NULL,
        problem TEXT NOT NULL,
        grader TEXT NOT NULL,
        conditions TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        graded TEXT NOT NULL,
        seconds REAL NOT NULL,
        earned REAL NOT NULL,
        possible REAL NOT NULL,
        record TEXT NOT NULL,
        UNIQUE (student, milestone, sources, problem, grader, conditions, attempt)
    ) STRICT;
    CREATE TABLE standing (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run,
        handin INTEGER NOT NULL REFERENCES handin,
        student TEXT NOT NULL REFERENCES student,
        milestone TEXT NOT NULL,
        handed_in TEXT NOT NULL,
        result INTEGER REFERENCES result,
        fault TEXT NOT NULL,
        CHECK ((result IS NULL) = (fault <> ''))
    ) STRICT;
    CREATE INDEX standing_of_student ON standing (student, milestone, id);
    """,
    """
    CREATE TABLE source (
        sha256 TEXT PRIMARY KEY,
        content BLOB NOT NULL
    ) STRICT;
    CREATE TABLE module (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run,
        handin INTEGER NOT NULL REFERENCES handin,
        student TEXT NOT NULL REFERENCES student,
        milestone TEXT NOT NULL,
        origin TEXT NOT NULL,
        handed_in TEXT NOT NULL,
        source TEXT REFERENCES source,
        problem TEXT NOT NULL,
        CHECK ((source IS NULL) = (problem <> ''))
    ) STRICT;
    CREATE INDEX module_of_student ON module (student, milestone, id);
    CREATE TABLE decision (
        id INTEGER PRIMARY KEY,
        made TEXT NOT NULL,
        author TEXT NOT NULL,
        kind TEXT NOT NULL,
        student TEXT NOT NULL,
        milestone TEXT NOT NULL,
        task TEXT NOT NULL,
        value TEXT NOT NULL,
        reason TEXT NOT NULL,
        result INTEGER
    ) STRICT;
    """,
    """
    CREATE TABLE doubt (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run,
        origin TEXT NOT NULL,
        student TEXT NOT NULL,
        milestone TEXT NOT NULL,
        content TEXT NOT NULL,
        why TEXT NOT NULL
    ) STRICT;
    """,
)
VERSION = len(SCRIPTS)
