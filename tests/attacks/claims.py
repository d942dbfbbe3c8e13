"""Hand-ins that say they are somebody else's: what lies beside a class's export, and what stands in one.

Those of `BESIDE` fill a folder with one student's hand-in and return what of it is named on the command line. Those of
`INSIDE` return a record for the metadata of an honest export, as a student's own settings make it come out. Bob has handed
in "bob" as b2, from bob@example.org; what is put in its place is "evil".
"""

from collections.abc import Callable
from pathlib import Path

from handing_in import WARMUP, folder, zipped

LATE = "2036-03-01 09:30:00 Z"
BOBS = f"""\
submission_1:
  :submitters:
  - :name: Bob O'Neil
    :sid: b2
    :email: bob@example.org
  :created_at: {LATE}
"""


def b190_export_of_ones_own(path: Path) -> Path:
    """Hands in an archive that has the form of the class's export and says that its work is another's, and the latest."""
    (path / "mallory.zip").write_bytes(zipped({"submission_metadata.yml": BOBS, f"submission_1/{WARMUP}": "evil"}))
    return path / "mallory.zip"


def b190_export_called_like_one(path: Path) -> Path:
    """Does so under the name that the platform gives its exports."""
    files = {"submission_metadata.yml": BOBS, f"submission_1/{WARMUP}": "evil"}
    (path / "assignment_8_export.zip").write_bytes(zipped({f"assignment_8_export/{n}": t for n, t in files.items()}))
    return path / "assignment_8_export.zip"


def b191_export_in_the_only_folder(path: Path) -> Path:
    """Is the only one in a folder, and has the form of an export in it."""
    return folder(path / "more", {"m/submission_metadata.yml": BOBS, f"m/submission_1/{WARMUP}": "evil"})


def b192_folders_of_others(path: Path) -> Path:
    """Hands in an archive that has the form of a class, with folders in it that are called after others."""
    (path / "mallory.zip").write_bytes(zipped({f"b2/{WARMUP}": "evil", f"Bob O'Neil/{WARMUP}": "evil", "x/y.txt": ""}))
    return path / "mallory.zip"


def b192_names_as_moodle_writes_them(path: Path) -> Path:
    """Hands in an archive whose folders are called as Moodle calls those of others."""
    name = "Bob O'Neil_17_assignsubmission_file_"
    (path / "mallory.zip").write_bytes(zipped({f"{name}/{WARMUP}": "evil", f"Eve_18_assignsubmission_file_/{WARMUP}": "x"}))
    return path / "mallory.zip"


def b198_names_as_canvas_writes_them(path: Path) -> Path:
    """Hands in an archive whose files are called as Canvas calls those of others."""
    files = {f"oneilbob_17_99_{WARMUP}": "evil", f"anna_16_98_{WARMUP}": "evil"}
    (path / "mallory.zip").write_bytes(zipped(files))
    return path / "mallory.zip"


def b198_names_as_blackboard_writes_them(path: Path) -> Path:
    """Hands in an archive whose files are called as Blackboard calls those of others."""
    name = "attempt_2036-03-01-09-30-00"
    (path / "mallory.zip").write_bytes(zipped({f"HW_b2_{name}_{WARMUP}": "evil", f"HW_a1_{name}_{WARMUP}": "evil"}))
    return path / "mallory.zip"


def b198_names_as_brightspace_writes_them(path: Path) -> Path:
    """Is the only folder in one that is named, and calls its own as Brightspace calls others'."""
    name = "m/5-9 - b2 - Bob O'Neil - Mar 1, 2036 930 AM"
    return folder(path / "more", {f"{name}/{WARMUP}": "evil"})


def b198_clones_of_others(path: Path) -> Path:
    """Hands in an archive whose folders are called as clones of others' repositories are."""
    (path / "mallory.zip").write_bytes(zipped({f"hw-b2/{WARMUP}": "evil", f"hw-a1/{WARMUP}": "evil"}))
    return path / "mallory.zip"


def b193_name_equal_after_cleaning(path: Path) -> Path:
    """Calls its folder like another's, but for signs that nobody sees in a report."""
    return folder(path / "more", {f"\x1b[31mb2/{WARMUP}": "evil", f"b2\x07/{WARMUP}": "evil", f"c3/{WARMUP}": "carl"})


def b194_id_of_another() -> str:
    """Has typed another's id into its account."""
    return record("Mallory", "b2", "mallory@example.org")


def b194_name_of_another() -> str:
    """Has typed another's name into its account."""
    return record("Bob O'Neil", "", "mallory@example.org")


def b194_address_that_is_an_id() -> str:
    """Has another's id where its address should be, and no id of its own."""
    return record("Mallory", "", "b2")


def b194_name_that_is_an_id() -> str:
    """Has another's id for its name, and neither an id nor an address."""
    return record("b2", "", "")


def b195_date_that_is_none() -> str:
    """Was handed in at a time whose offset no clock has."""
    return record("Mallory", "m9", "mallory@example.org", "2036-03-01 09:30:00 +99:99")


def b196_aliases_for_an_id() -> str:
    """Has a list of lists for its id, made of aliases."""
    chain = "  :score: &x [a, a]\n  :more: &y [*x, *x]\n"
    return record("Mallory", "*y", "mallory@example.org").replace("  :submitters:", f"{chain}  :submitters:")


def b196_wrong_kinds() -> str:
    """Has mappings, lists and tagged objects where texts belong, and texts where lists do."""
    kinds = ("{a: b}", "[1, 2]", "!!python/object/apply:os.getcwd []", "!ruby/object:Evil {x: 1}")
    records = [record("Mallory", kind, kind).replace("submission_9", f"submission_9{n}") for n, kind in enumerate(kinds)]
    return "".join(records) + "submission_95: [1]\nsubmission_96:\n  :submitters: {a: b}\n  :created_at: []\n"


def b197_says_it_twice() -> str:
    """Has its submitters and its time twice, first its own and then another's."""
    return record("Mallory", "m9", "mallory@example.org") + BOBS.partition("\n")[2]


def record(name: str, sid: str, email: str, created: str = LATE) -> str:
    """Return a submission's record as it stands in an export's metadata."""
    lines = [f"  - :name: {name}", f"    :sid: {sid}", f"    :email: {email}"]
    return "\n".join(["submission_9:", "  :submitters:", *lines, f"  :created_at: {created}", ""])


def _all(takes: tuple[str, ...]) -> list[Callable]:
    found = [thing for name, thing in sorted(globals().items()) if name[:2] == "b1"]
    return [thing for thing in found if thing.__code__.co_varnames[: thing.__code__.co_argcount] == takes]


BESIDE, INSIDE = _all(("path",)), _all(())
ALL = [*BESIDE, *INSIDE]
