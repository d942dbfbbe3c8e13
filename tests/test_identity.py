"""Whose a submission is: nobody's claim renames, replaces or blocks another's work; honest classes come out whole."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import repositories
import yaml
from attacks import claims
from handing_in import COURSE, WARMUP, folder, zipped

from grader.classroom.book.gradebook import Gradebook
from grader.classroom.book.standing import Student
from grader.classroom.intake import metadata
from grader.classroom.intake.collecting import Collected, CollectingError, collect_class
from grader.classroom.intake.identity import clean_id
from grader.classroom.intake.roster import Roster

ANNA, BOB = Student("a1", "Anna", "anna@example.org"), Student("b2", "Bob O'Neil", "bob@example.org")
CLASS = Roster((ANNA, BOB))
HONEST = """\
submission_1:
  :submitters:
  - :name: Anna
    :sid: a1
    :email: anna@example.org
  :created_at: 2026-03-01 09:30:00 Z
submission_2:
  :submitters:
  - :name: Bob O'Neil
    :sid: b2
    :email: bob@example.org
  :created_at: 2026-03-01 09:30:00 Z
"""
KNOWN = pytest.mark.parametrize(
    ("roster", "book"), [(CLASS, ()), (None, (ANNA, BOB))], ids=["by the roster", "by the gradebook"]
)


def export(path: Path, more: str = "", name: str = "assignment_7_export.zip") -> Path:
    """Write an honest export of Anna's and Bob's work, with more records in its metadata."""
    files: dict[str, str | bytes] = {"submission_metadata.yml": HONEST + more}
    files |= {f"submission_1/{WARMUP}": "anna", f"submission_2/{WARMUP}": "bob", f"submission_9/{WARMUP}": "evil"}
    (path / name).write_bytes(zipped(files))
    return path / name


def taken(collected: Collected) -> dict[str, str]:
    """Return student -> source, of whose work is graded."""
    found = {each.student.id: each.submission.sources.get("m00_warmup", b"").decode() for each in collected.handed_in}
    return {student: source for student, source in found.items() if source}


@KNOWN
@pytest.mark.parametrize("build", claims.BESIDE, ids=lambda build: build.__name__)
def test_what_lies_beside_an_export_speaks_for_nobody_else(tmp_path, build, roster, book):
    """Beside the class's own export a student's hand-in is that student's at best, and is named in a sentence."""
    beside = build(tmp_path)

    collected = collect_class([beside], COURSE, roster, exports=[export(tmp_path)], book=book)

    assert taken(collected)["a1"] == "anna" and taken(collected)["b2"] == "bob"
    assert not any(each.problem for each in collected.handed_in if each.student in (ANNA, BOB))
    assert {each.student for each in collected.handed_in} >= {ANNA, BOB}  # with their own names and addresses
    assert collected.unclear or collected.notes or len(taken(collected)) > 2


@KNOWN
@pytest.mark.parametrize("build", claims.INSIDE, ids=lambda build: build.__name__)
def test_what_stands_in_an_export_speaks_for_nobody_else(tmp_path, build, roster, book):
    """An account's own words give it no id, name or time of another's, and the class is taken in."""
    collected = collect_class([export(tmp_path, build())], COURSE, roster, book=book)

    assert taken(collected)["a1"] == "anna" and taken(collected)["b2"] == "bob"
    assert not any(each.problem for each in collected.handed_in if each.student in (ANNA, BOB))
    assert [each.student for each in collected.handed_in if each.student.id in ("a1", "b2")] == [ANNA, BOB]
    assert all(said.endswith(".") and "\n" not in said for said in [*collected.unclear, *collected.notes])


def test_an_export_beside_others_is_believed_when_it_is_named_as_one(tmp_path):
    """Of two sources neither is believed by itself, whatever it is called; nothing of it is taken, and it is said."""
    real, more = export(tmp_path), folder(tmp_path / "s", {f"c3/{WARMUP}": "carl"})

    refused = collect_class([real, more], COURSE, CLASS)
    believed = collect_class([more], COURSE, CLASS, exports=[real])

    assert taken(refused) == {"c3": "carl"}
    assert len(refused.unclear) == 1 and "name with --export" in refused.unclear[0]
    assert taken(believed) == {"a1": "anna", "b2": "bob", "c3": "carl", "submission_9": "evil"}
    with pytest.raises(CollectingError, match="name with --export; nothing of it was taken"):
        collect_class([export(tmp_path, name="week4.zip")], COURSE, CLASS)


def test_two_archives_of_a_class_are_believed_when_they_are_named_as_such(tmp_path):
    """An archive beside other sources is one student's; with --export it may hold a part of the class."""
    for name in ("one", "two"):
        data = zipped({f"{student}-{name}/{WARMUP}": name for student in ("x", "y")})
        (tmp_path / f"{name}.zip").write_bytes(data)
    both = [tmp_path / "one.zip", tmp_path / "two.zip"]

    named, plain = collect_class([], COURSE, exports=both), collect_class(both, COURSE)

    assert taken(named) == {"x-one": "one", "x-two": "two", "y-one": "one", "y-two": "two"}
    assert taken(plain) == {} and [each.student.id for each in plain.handed_in] == ["one", "two"]
    assert any("if it holds a class, name it with --export" in note for note in plain.notes)


def test_sources_of_one_id_are_one_persons(tmp_path):
    """Without a roster an export and a folder of one id, in another case, are one person with two hand-ins."""
    other, same = (folder(tmp_path / name, {f"A1/{WARMUP}": name, f"x/{WARMUP}": ""}) for name in ("other", "anna"))

    first = collect_class([other], COURSE, exports=[export(tmp_path)])
    second = collect_class([same], COURSE, exports=[export(tmp_path)])

    problems = {each.student.id.casefold(): each.problem for each in first.handed_in if each.problem}
    assert list(problems) == ["a1"] and "nothing says which m00 counts; keep one of them" in problems["a1"]
    assert taken(first)["b2"] == "bob"
    assert sum(each.student.id.casefold() == "a1" for each in second.handed_in) == 1
    assert "anna" in taken(second).values()


def test_an_id_of_two_addresses_is_nobodys(tmp_path):
    """Where nothing says whose an id is, two accounts that give it are both named and neither is chosen."""
    collected = collect_class([export(tmp_path, claims.b194_id_of_another())], COURSE)

    assert taken(collected) == {"a1": "anna"}
    assert len(collected.unclear) == 2
    assert all("b2 is the id of different addresses" in said for said in collected.unclear)


def test_a_gradebooks_names_are_changed_by_a_roster_alone(tmp_path):
    """A hand-in fills what is empty and changes nothing; the roster decides what people are called."""
    with Gradebook.open(tmp_path / "g.sqlite", create=True) as book:
        run = book.begin_run("g", "{}", official=False, isolation="bubblewrap")
        for student in (
            BOB,
            Student("b2", "Mallory", "m@example.org"),
            Student("b2"),
            Student("c3"),
            Student("c3", "C"),
        ):
            book.hand_in(run, student, origin="s", handed_in="", problem="", notes=[])
        assert book.students() == [BOB, Student("c3", "C")]

        book.enrol([Student("b2", "Robert", "rob@example.org")])
        assert book.students()[0] == Student("b2", "Robert", "rob@example.org")


def test_names_that_become_equal_are_kept_apart(tmp_path):
    """What differs in signs that no report shows has different ids; what people write in two ways has one."""
    names = ["anna", "an\x1b[31mna", "anna\x00", "anna\n", "\u200banna", "x" * 101, "x" * 102, "\udcff", "\udcfe"]

    assert len({clean_id(name) for name in names}) == len(names)
    assert clean_id("Anna  Müller") == clean_id("Anna Müller") == "Anna Müller"
    files = {f"\x1b[31manna/{WARMUP}": "evil", f"anna/{WARMUP}": "anna"}
    (tmp_path / "class.zip").write_bytes(zipped(files))
    assert taken(collect_class([tmp_path / "class.zip"], COURSE))["anna"] == "anna"


def test_a_list_names_other_places_than_https_only_when_that_is_allowed(tmp_path):
    """Paths, file: and ssh reach what is the instructor's own, and are refused unless they are allowed."""
    repositories.repository(tmp_path / "anna", {WARMUP: "anna"})
    for address in (f"file://{tmp_path}/anna", "anna", f"{tmp_path}/anna", "ssh://host/x.git", "git@host:x.git"):
        (tmp_path / "l.txt").write_text(f"{address} main\n")
        with pytest.raises(CollectingError, match=r"line 1: .* is not fetched; https is, and with --allow-local"):
            collect_class([tmp_path / "l.txt"], COURSE)

    (tmp_path / "l.txt").write_text(f"file://{tmp_path}/anna main\n")
    assert taken(collect_class([tmp_path / "l.txt"], COURSE, allow_local=True)) == {"anna": "anna"}


def test_a_branch_called_like_a_commit_is_not_taken_for_it(tmp_path):
    """A short id is refused although there is a branch of that name; the branch is named by its full name."""
    meant = repositories.repository(tmp_path / "anna", {WARMUP: "in time"})
    short = meant[:8]
    repositories.commit(tmp_path / "anna", {WARMUP: "late"}, branch=short)
    repositories.commit(tmp_path / "anna", {WARMUP: "later"}, branch=meant)
    found = {}
    for commit in (short, meant, f"refs/heads/{short}"):
        (tmp_path / "l.csv").write_text(f"student,url,commit\na1,anna,{commit}\n")
        (found[commit],) = collect_class([tmp_path / "l.csv"], COURSE, allow_local=True).handed_in

    assert "a commit is named by its full id of 40 digits" in found[short].problem
    assert found[meant].submission.sources == {"m00_warmup": b"in time"}
    assert found[f"refs/heads/{short}"].submission.sources == {"m00_warmup": b"late"}


# ── metadata ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "limit", "text"),
    [
        ("DEPTH", 4, "s: {a: {b: {c: {d: 1}}}}"),
        ("EVENTS", 20, "s: [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7]"),
        ("RECORDS", 2, "a: {}\nb: {}\nc: {}"),
        ("ANCHORS", 1, "s:\n  :created_at: &a x\nt:\n  :created_at: &b x"),
        ("TEXT", 5, "longer: {}"),
    ],
)
def test_metadata_is_held_to_its_bounds(monkeypatch, name, limit, text):
    """Depth, numbers of events, submissions and anchors, and the length of a name: beyond one of them it is none."""
    metadata.records(text.encode())
    monkeypatch.setattr(metadata, name, limit)

    with pytest.raises(metadata.MetadataError):
        metadata.records(text.encode())


def test_an_alias_stands_for_what_is_there_and_nothing_grows():
    """Ruby writes a person twice as an alias; an alias of anything that is not built is one record's problem."""
    text = (
        "a:\n  :submitters: &all\n  - &anna\n    :name: &n Anna\n    :sid: a1\nb:\n  :submitters:\n  - *anna\n"
        "c:\n  :submitters: *all\nd:\n  :submitters:\n  - :name: *n\ne:\n  :submitters:\n  - :name: *all\n"
        "f:\n  :submitters: *nobody\ng:\n  :created_at: 2026-03-01 09:30:00 Z\n"
    )

    found = metadata.records(text.encode())

    anna = {":name": "Anna", ":sid": "a1"}
    assert found["a"].people == found["b"].people == found["c"].people == [anna]
    assert found["d"].people == [{":name": "Anna"}]
    assert found["e"].problem == ":name is an alias of what is no text here"
    assert found["f"].problem == ":submitters is no list"
    assert found["g"] == metadata.Record([], "2026-03-01 09:30:00 Z")


def made(chance: random.Random, depth: int = 0) -> object:
    """Return a value such as YAML can hold, most of it not what belongs there."""
    odd = [
        None,
        True,
        -1,
        10**40,
        1e308,
        float("nan"),
        "",
        "b2",
        "a1",
        "bob@example.org",
        "x" * 2000,
        "\u202e",
        "*x",
        "&y",
    ]
    odd += [
        "2026-03-01 09:30:00 +99:99",
        "9999-99-99 99:99:99 Z",
        "0000-00-00 00:00:00 Z",
        "\U0001f600" * 3,
        "2036-01-01",
    ]
    match chance.randrange(6 if depth < 4 else 4):
        case 4:
            return [made(chance, depth + 1) for _ in range(chance.randrange(4))]
        case 5:
            keys = [":submitters", ":created_at", ":name", ":sid", ":email", "utc", "x"]
            return {chance.choice(keys): made(chance, depth + 1) for _ in range(chance.randrange(4))}
    return chance.choice(odd)


def nearly(chance: random.Random) -> object:
    """Return a record that is nearly right."""
    people = [
        {key: made(chance, 3) for key in (":name", ":sid", ":email") if chance.random() < 0.8}
        for _ in range(chance.randrange(3))
    ]
    return {":submitters": people, ":created_at": made(chance, 2)} if chance.random() < 0.7 else made(chance)


def test_whatever_metadata_holds_is_texts_or_one_records_problem():
    """Of thousands of made files each gives plain texts for each record, or is refused as a whole; nothing else."""
    chance, refused = random.Random(7), 0
    for _ in range(1500):
        text = yaml.dump({f"submission_{n}": nearly(chance) for n in range(3)}, allow_unicode=chance.random() < 0.5)
        data = bytearray(text.encode())
        if chance.random() < 0.4:
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = metadata.records(bytes(data))
        except metadata.MetadataError:
            refused += 1
            continue
        for each in found.values():
            assert isinstance(each.created_at, str) and isinstance(each.problem, str)
            assert all(
                isinstance(part, str) and len(part) <= 1000 for person in each.people for part in person.values()
            )

    assert 0 < refused < 1000


def test_whatever_metadata_holds_the_class_goes_on(tmp_path):
    """Among records of every kind Anna and Bob keep their work, their names and their times."""
    chance = random.Random(11)
    more = yaml.dump({f"submission_{n}": nearly(chance) for n in range(100, 400)})
    source = export(tmp_path, more)

    collected = collect_class([source], COURSE, CLASS)

    assert [each.student for each in collected.handed_in[:2]] == [ANNA, BOB]
    assert taken(collected)["a1"] == "anna" and taken(collected)["b2"] == "bob"
    assert all(each.handed_in.startswith("2026-03-01") for each in collected.handed_in[:2])
    assert all("Error" not in said for said in [*collected.unclear, *(each.problem for each in collected.handed_in)])
