"""Downloads of submissions, made for these tests in each platform's scheme of names; its source stands with it."""

from __future__ import annotations

from handing_in import ATTENTION, WARMUP, zipped

Files = dict[str, str | bytes]


def canvas() -> Files:
    """Return a flat download with a late one, one handed in again, an archive, and a text that was typed.

    Source: canvas-lms, lib/content_zipper.rb, get_filename and add_upload_submission; app/models/attachment.rb,
    make_unique_filename.
    """
    return {
        f"lovelaceada_12345_678901_{WARMUP}": "ada",
        f"lovelaceada_12345_678902_{ATTENTION}": "ada's",
        "obrienbrian_LATE_12346_678903_m00_warmup-1.py": "brian",
        "garcíamárquezzoë_12347_678904_work.zip": zipped({f"work/{WARMUP}": "zoë"}),
        "garcíamárquezzoë_12347_text.html": "<p>see the archive</p>",
    }


def canvas_without_names() -> Files:
    """Return the same kind of an assignment that is graded anonymously. Source: as above."""
    return {f"anon_a1b2C_678901_{WARMUP}": "one", f"LATE_anon_Zz9y8_678902_{WARMUP}": "two"}


def canvas_of_teams() -> Files:
    """Return a group assignment's: the team's name, and one member's number. Source: as above, get_user_name."""
    return {f"team1_12346_678901_{WARMUP}": "both", f"team2_LATE_12347_678902_{WARMUP}": "zoë"}


def moodle() -> Files:
    """Return folders as Moodle makes them: no apostrophe in a name, and the last name first where the site says so.

    Source: moodle, mod/assign/classes/downloader.php, get_student_prefix and load_submissionplugin_filelist.
    """
    return {
        f"Ada Lovelace_1001_assignsubmission_file/{WARMUP}": "ada",
        f"OBrien Brian_1002_assignsubmission_file/{WARMUP}": "brian",
        "García Márquez Zoë_1003_assignsubmission_file/work.zip": zipped({f"work/{WARMUP}": "zoë"}),
    }


def moodle_of_teams() -> Files:
    """Return a team assignment's: groups' names and numbers, and who is in no group. Source: as above."""
    return {
        f"Team 1_71_assignsubmission_file/{WARMUP}": "both",
        f"Team 2_72_assignsubmission_file/{WARMUP}": "zoë",
        f"Default group_assignsubmission_file/{WARMUP}": "nobody's",
    }


def moodle_without_names(word: str = "Participant") -> Files:
    """Return a blind marking's, in the site's word for a participant. Source: as above."""
    return {f"{word}_{number}_assignsubmission_file/{WARMUP}": str(number) for number in (501, 502)}


def blackboard() -> Files:
    """Return a flat download with two attempts of one student, each with what was typed.

    Source: as tools that sort such downloads read them; Blackboard's own source is closed.
    """
    head = "Week 1_Warm-up"
    return {
        f"{head}_alovelace_attempt_2026-03-01-21-10-05.txt": "Name: Ada Lovelace (alovelace)\n",
        f"{head}_alovelace_attempt_2026-03-01-21-10-05_{WARMUP}": "ada",
        f"{head}_bobrien_attempt_2026-03-01-08-00-00.txt": "Name: Brian O'Brien (bobrien)\n",
        f"{head}_bobrien_attempt_2026-03-01-08-00-00_{WARMUP}": "early",
        f"{head}_bobrien_attempt_2026-03-02-09-00-00.txt": "Name: Brian O'Brien (bobrien)\n",
        f"{head}_bobrien_attempt_2026-03-02-09-00-00_{WARMUP}": "brian",
        f"{head}_zgarcia_attempt_2026-03-01-22-00-00_work.zip": zipped({f"work/{WARMUP}": "zoë"}),
    }


def brightspace() -> Files:
    """Return folders with two submissions of one student, and the page that lies beside them.

    Source: as tools that sort such downloads read them; Brightspace's own source is closed.
    """
    return {
        "index.html": "<html></html>",
        f"5001-9001 - Ada Lovelace - Mar 1, 2026 911 PM/{WARMUP}": "ada",
        f"5002-9002 - Brian O'Brien - Mar 1, 2026 800 AM/{WARMUP}": "early",
        f"5002-9003 - Brian O'Brien - Mar 1, 2026 1215 PM/{WARMUP}": "brian",
        "5003-9004 - Zoë García Márquez- Mar 1, 2026 1001 PM/work.zip": zipped({f"work/{WARMUP}": "zoë"}),
    }


def brightspace_flat() -> Files:
    """Return the same flat, with each student's OrgDefinedId. Source: as above."""
    return {
        f"5001-9001 - s001 - Ada Lovelace- 1 March, 2026 911 PM - {WARMUP}": "ada",
        f"5002-9002 - s002 - Brian O'Brien- 1 March, 2026 800 AM - {WARMUP}": "brian",
        "5003-9004 - s003 - Zoë García Márquez- 1 March, 2026 1001 PM - work.zip": zipped({WARMUP: "zoë"}),
    }


def clones() -> Files:
    """Return clones of GitHub Classroom's repositories; one login has a hyphen.

    Source: github.com/github/gh-classroom, cmd/gh-classroom/clone/student-repos/student-repos.go.
    """
    return {
        f"m00-warmup-ada-l/exercises/{WARMUP}": "ada",
        f"m00-warmup-bobrien/exercises/{WARMUP}": "brian",
        f"m00-warmup-zoe/exercises/{WARMUP}": "zoë",
    }
