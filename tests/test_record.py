"""The record's schema and its documentation, what is refused on reading, and replaying a run from its record."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import math

import jsonschema
import pytest
import support
import systems
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import cli, clipping, record, replaying, schema
from grader.course import Course, Part
from grader.practice import SECRET_SEED
from grader.reports.machines import json_report
from grader.reports.student_view import student_view
from grader.reports.text_file import ReportError
from grader.submission import collect

SCHEMA = schema.load(schema.RECORD)
PARTS = {"milestone": record.Milestone, "task": record.Task, "check": record.Check, "frame": record.Frame}
DERIVED = {"record": {"earned", "possible"}, "milestone": {"earned", "possible"}, "task": {"outcome"}}
ODD = st.sampled_from([None, True, 0, -1, 1.0, 2.5, math.nan, "", "m04", "passed", [], {}, [None], {"x": 1}, 10**30])


@pytest.fixture(scope="module", autouse=True)
def _warm_sandbox():
    with pytest.MonkeyPatch.context() as patch:
        support.lend_where_chosen(patch)
        yield


@functools.cache
def example() -> str:
    """Return a record's JSON with something in every list, as text."""
    frame = record.Frame("m04_attention.py", 3, "causal_mask", "return x")
    bad = record.Check("test_b[float16]", "B holds.", record.FAILED, ["value"], 0.1, "No.", "a", None, [frame], "x")
    good = record.Check("test_a", "A holds.", record.PASSED, ["value", "measured"], 0.2)
    tasks = [record.Task("m04.1", "One", 2, 2, [good]), record.Task("m04.2", "Two", 3, 0, [good, bad])]
    milestone = record.Milestone("m04_attention", "Attention", tasks, notes=["A note."], sources="ab")
    milestone.dice, milestone.official_problem = "0f", "It cannot be imported."
    made = record.Record("0.1.0+ab", "exercises", "0", "cpu", "bubblewrap", notes=["Another."], milestones=[milestone])
    return json_report.render(made)


def documentation():
    """Return the tables of docs/record.md: every field of every part, with its type and what it says."""
    lines = []
    for name, part in [("record", SCHEMA), *((name, SCHEMA["$defs"][name]) for name in PARTS)]:
        lines += [f"## {name}", "", part["description"], "", "| field | type | what it says |", "|---|---|---|"]
        fields = part["properties"].items()
        lines += [f"| `{field}` | {kind(said)} | {said['description']} |" for field, said in fields]
        lines.append("")
    return "\n".join(lines)


def kind(said):
    """Return the type of a field in words."""
    if "enum" in said:
        return " · ".join(f"`{value}`" for value in said["enum"])
    if "const" in said:
        return f"`{said['const']}`"
    if said["type"] == "array":
        items = said["items"]
        return f"list of {items['$ref'].rpartition('/')[2] + 's' if '$ref' in items else kind(items)}"
    return " or ".join(said["type"]) if isinstance(said["type"], list) else said["type"]


def test_the_schema_has_every_field_of_a_record_and_no_other():
    """What the classes of a record hold, and the sums that are added in writing, is what the schema requires."""
    for name, made in {"record": record.Record, **PARTS}.items():
        part = SCHEMA if name == "record" else SCHEMA["$defs"][name]
        fields = {field.name for field in dataclasses.fields(made)} | DERIVED.get(name, set())

        optional = {
            "record": set(record.USUAL),
            "milestone": set(record.OPTIONAL),
            "task": set(record.OPTIONAL_OF_TASK),
            "check": set(record.OPTIONAL_OF_CHECK),
        }.get(name, set())

        assert set(part["properties"]) == set(part["required"]) | optional == fields, name


def test_the_documentation_is_the_schemas():
    """docs/record.md holds the schema's own sentence for every field."""
    page = (support.REPOSITORY / "docs" / "record.md").read_text(encoding="utf-8")

    assert documentation() in page, f"put this in place of the tables in docs/record.md:\n{documentation()}"


def test_texts_are_cut_and_notes_are_counted_when_they_are_made():
    """A name of millions of letters and eighteen thousand notes leave a record that can be read; what fits stays."""
    frame = record.Frame("f" * 10**6, 1, "g" * 10**6, "s" * 10**6)
    check = record.Check("a", "A.", record.FAILED, [], 0.1, "m" * 7_000_000, "k" * 5_000_000, traceback=[frame] * 5000)
    milestone = record.Milestone("m04_attention", "A", problem="p" * 10**6, notes=["n" * 10**4] * 18_000)

    assert len(check.message) == clipping.MESSAGE and check.message.endswith("(7,000,000 characters in all)")
    assert len(check.mistake) == clipping.SENTENCE and len(check.traceback) == clipping.FRAMES
    assert (len(frame.file), len(frame.function), len(frame.source)) == (clipping.NAME, clipping.NAME, clipping.LINE)
    assert len(milestone.notes) == clipping.NOTES and milestone.notes[-1] == "… and 17,951 more notes."
    assert max(map(len, [*milestone.notes, milestone.problem])) == clipping.SENTENCE
    assert dataclasses.replace(milestone) == milestone and dataclasses.replace(check) == check


@functools.cache
def judge_of_schemas():
    """Return what the jsonschema package makes of our schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def places(value, way=()):
    """Return the way to every part of JSON data."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, part in inner for place in places(part, (*way, key)))]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_our_validator_agrees_with_a_library(data):
    """With a part of a record replaced, removed or added, we and the jsonschema package accept and refuse the same."""
    plain = json.loads(example())
    *way, last = data.draw(st.sampled_from(places(plain)[1:]))
    owner = functools.reduce(lambda part, key: part[key], way, plain)
    change = data.draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace":
        owner[last] = data.draw(ODD)
    elif change == "remove":
        del owner[last]
    elif isinstance(owner, dict):
        owner["unknown"] = 1
    try:
        schema.check(plain, SCHEMA)
        ours = True
    except schema.SchemaError:
        ours = False

    # A number that is none is no JSON, which a library for JSON Schema need not notice.
    assert ours == (judge_of_schemas().is_valid(plain) and "NaN" not in json.dumps(plain))


def changed(*way, to):
    """Return the example with one part replaced."""
    plain = json.loads(example())
    functools.reduce(lambda part, key: part[key], way[:-1], plain)[way[-1]] = to
    return plain


@pytest.mark.parametrize(
    ("plain", "said"),
    [
        (changed("schema", to="scratchwork-record/2"), "not a result record of schema scratchwork-record/1"),
        (changed("seconds", to=-1), "seconds is -1"),
        (changed("official", to="no"), "official is 'no', not of type boolean"),
        (
            changed("official", to=True),
            "it is called official, which takes a secret seed and the level bubblewrap or user",
        ),
        (changed("milestones", 0, "id", to="../../etc"), "milestones[0].id is '../../etc'"),
        (changed("milestones", 0, "tasks", 1, "checks", 1, "outcome", to="won"), "checks[1].outcome is 'won'"),
        (changed("milestones", 0, "tasks", 1, "checks", 1, "traceback", 0, "line", to="3"), "traceback[0].line"),
        (changed("earned", to=5), "it has 5 points earned, and its parts have 2"),
        (changed("milestones", 0, "possible", to=50), "milestones[0] has 50 points possible"),
        (changed("milestones", 0, "tasks", 1, "outcome", to="passed"), "tasks[1] is called passed"),
        (changed("milestones", 0, "tasks", 1, "earned", to=3), "tasks[1] has 3 points, which its checks do not earn"),
    ],
)
def test_a_record_that_is_malformed_or_contradicts_itself_is_refused(tmp_path, plain, said):
    """A record that doesn't fit the schema, or whose sums are wrong, is refused in a sentence that names the place."""
    path = tmp_path / "record.json"
    path.write_text(json.dumps(plain))

    with pytest.raises(ReportError) as refused:
        json_report.read(path)

    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_malformed_record_is_not_written(tmp_path):
    """A record that no schema would take is refused when it is written, and the old file stays."""
    made = record.from_json(json.loads(example()))
    path = tmp_path / "record.json"
    path.write_text("before")
    made.milestones[0].tasks[0].checks[0].outcome = "won"

    with pytest.raises(ReportError, match="malformed"):
        json_report.write(made, path)

    assert path.read_text() == "before"


# ── replay ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Return a folder with a right m00 and the record of its run."""
    folder = tmp_path_factory.mktemp("replay") / "handed_in"
    folder.mkdir()
    (folder / "m00_warmup.py").write_text(support.source("solutions", "m00_warmup"))
    path = folder.parent / "record.json"
    assert cli.main(["grade", "m00", "--all", "--submission", str(folder), "--json", str(path)]) == 0
    return folder, json_report.read(path)


def replay(capsys, tmp_path, made, *options):
    """Replay a record, of the folder that it was made of, and return the exit code and what was said."""
    path = tmp_path / "old.json"
    json_report.write(made, path)
    code = cli.main(["replay", str(path), "--submission", made.submission, *map(str, options)])
    said = capsys.readouterr()
    return code, " ".join((said.out + said.err).split())


@systems.strangers
def test_an_outcome_that_the_sources_do_not_give_is_named(graded, capsys, tmp_path, monkeypatch):
    """Of an official run's record all checks end as before, but the one that was tampered with; no seed is shown.

    The new record is official too where the person gives the seed, and practice where it is the record's own word.
    """
    made = copy.deepcopy(graded[1])
    made.official, made.secret_seed, made.seed, made.grader = True, True, "a seed that nobody is shown", "0.0.1+other"
    task = made.milestones[0].tasks[0]
    task.checks[0].outcome, task.earned = record.FAILED, 0
    code, said = replay(capsys, tmp_path, made, "--json", tmp_path / "new.json")

    assert code == 1
    assert "The seed is the record's own word" in said
    assert not json_report.read(tmp_path / "new.json").official
    monkeypatch.setenv(SECRET_SEED, made.seed)
    code, said = replay(capsys, tmp_path, made, "--json", tmp_path / "new.json")

    assert code == 1
    assert "The seed is the record's own word" not in said
    assert f"{task.id} {task.checks[0].id}: failed in the record, passed now" in said
    assert f"differ from the record's in 1 of {len(support.checks(made))} checks" in said
    assert "The grader is another: 0.0.1+other in the record" in said
    assert made.seed not in said
    new = json_report.read(tmp_path / "new.json")
    assert support.outcomes(new) == support.outcomes(graded[1])
    assert (new.seed, new.official, new.milestones[0].sources) == (made.seed, True, made.milestones[0].sources)


def test_the_same_outcomes_are_said_to_be_the_same(capsys, tmp_path):
    """A run whose outcomes come again is exit code 0, with nothing said to be another."""
    folder = tmp_path / "handed_in"
    folder.mkdir()
    (folder / "m04_attention.py").write_text("def causal_mask(:\n")
    path = tmp_path / "record.json"
    assert cli.main(["grade", "m04", "--submission", str(folder), "--json", str(path)]) == 1
    made = json_report.read(path)
    code, said = replay(capsys, tmp_path, made)

    assert (code, "ended as in the record" in said, "is another" in said) == (0, True, False), said
    assert "the same 0 of 15 points" in said

    for task in made.milestones[0].tasks:
        task.points *= 2
    assert "0 of 15 points; in the record it was 0 of 30 points" in replay(capsys, tmp_path, made)[1]


def test_a_course_gives_the_points_that_are_compared(graded, capsys, tmp_path):
    """With --course the run earns what it would in that course; without it the record's other points are said."""
    folder, old = graded
    course, path = tmp_path / "course.toml", tmp_path / "record.json"
    course.write_text('[course]\nname = "C"\nmilestones = ["m00"]\n[[milestone]]\nid = "m00"\npoints = 25\n')
    given = ("--course", str(course))
    assert cli.main(["grade", "m00", "--all", "--submission", str(folder), "--json", str(path), *given]) == 0
    made = json_report.read(path)

    code, said = replay(capsys, tmp_path, made, *given)
    assert (code, made.possible, "the same 25 of 25 points" in said) == (0, 25, True), said
    assert "10 of 10 points; in the record it was 25 of 25" in replay(capsys, tmp_path, made)[1]
    assert "25 of 25 points; in the record it was 10 of 10" in replay(capsys, tmp_path, old, *given)[1]

    course.write_text('[course]\nname = "C"\nmilestones = ["m01"]\n')
    code, said = replay(capsys, tmp_path, made, *given)
    assert code == 2 and "m00_warmup, which is no milestone of this course" in said


def test_a_class_is_replayed_with_what_lay_beside_a_milestone(graded):
    """A class is graded with the modules of all milestones, those that its course leaves out too; so it is replayed."""
    folder, old = graded
    warmup, tokenizer, *_ = support.COURSE.milestones
    whole = dataclasses.replace(
        support.COURSE, milestones=(dataclasses.replace(warmup, uses=(tokenizer.id,), needs=()), tokenizer)
    )
    (folder / f"{tokenizer.id}.py").write_text("x = 1\n")
    course = Course("Short", (Part(warmup.id, points=25),)).syllabus(whole)
    made = copy.deepcopy(old)
    for syllabus, beside in ((whole, True), (course, False)):
        milestone = syllabus.milestone(warmup.id)
        made.milestones[0].sources = collect(folder, syllabus).digest(syllabus.with_uses(milestone))

        (lot,) = replaying.lots(made, course, whole, str(folder), "submission")

        assert ([m.id for m in lot.milestones], lot.course.milestone(warmup.id).points) == ([warmup.id], 25)
        assert (tokenizer.id in lot.submission.sources) is beside
    (folder / f"{tokenizer.id}.py").unlink()


def test_what_cannot_be_replayed_is_said_in_one_sentence(graded, capsys, tmp_path):
    """Other sources, a student's view of an official run, an unknown milestone and a wrong file are exit code 2."""
    folder, old = graded
    other = tmp_path / "other"
    other.mkdir()
    (other / "m00_warmup.py").write_text(support.source("exercises", "m00_warmup"))
    shown = student_view(dataclasses.replace(old, official=True, secret_seed=True, isolation="bubblewrap"))
    renamed = copy.deepcopy(old)
    renamed.milestones[0].id = "m99_elsewhere"

    for made, options, expected in (
        (old, ("--submission", other), "are not those that the record was made of (m00_warmup)"),
        (shown, (), "what a student was shown of an official run"),
        (renamed, (), "m99_elsewhere, which is no milestone of this course"),
        (dataclasses.replace(old, milestones=[]), (), "nothing to replay"),
    ):
        code, said = replay(capsys, tmp_path, made, *options)
        assert (code, expected in said, "Traceback" in said) == (2, True, False), said
    assert cli.main(["replay", str(folder / "m00_warmup.py")]) == 2
