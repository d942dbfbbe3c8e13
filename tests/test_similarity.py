"""Similarity: copies in disguise are found, independent work is not, and what was handed out counts for nobody."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import statistics
import zipfile
from pathlib import Path

import disguises
import pytest
import support
import warm

from grader import cli
from grader.classroom.book.standing import Student
from grader.reports.pages import page
from grader.reports.pages import similarity as similarity_page
from grader.similarity import likeness
from grader.similarity import pairs as similarity
from grader.similarity.likeness import Module
from grader.submission import Submission

STUBS = support.REPOSITORY / "exercises"
ATTENTION = "m04_attention"


@functools.cache
def handed_out(milestone: str) -> tuple[likeness.Runs, frozenset[str]]:
    """Return what was handed out of a milestone, and the names it prescribes."""
    stub = (STUBS / f"{milestone}.py").read_bytes()
    guide = (STUBS / f"{milestone}.md").read_text(encoding="utf-8")
    contract = likeness.names(stub)
    return likeness.boilerplate(stub, guide, contract), contract


@functools.cache
def module(milestone: str, source: str) -> Module:
    """Return a module ready to be compared."""
    known, contract = handed_out(milestone)
    return likeness.prepare(source.encode(), known, contract)


@functools.cache
def independent(milestone: str) -> dict[str, str]:
    """Return the right modules of a milestone that were written independently of each other."""
    files = support.alternates(milestone)
    return {"solution": support.source("solutions", milestone)} | {f.stem: f.read_text(encoding="utf-8") for f in files}


def disguised(milestone: str, source: str) -> str:
    """Return a copy with other names, layout, docstrings and order."""
    contract = handed_out(milestone)[1]
    return disguises.rearranged(disguises.renamed(disguises.without_docstrings(source), contract))


def padded_copy(milestone: str, source: str) -> str:
    """Return a copy in disguise with statements that do nothing in between."""
    return disguises.padded(disguised(milestone, source))


def students(sources: dict[str, str], milestone: str = ATTENTION) -> list[tuple[Student, Submission]]:
    """Return submissions of one module each."""
    return [
        (Student(name, name.title()), Submission(name, {milestone: text.encode()})) for name, text in sources.items()
    ]


def find(sources: dict[str, str], reference: Path | None = None) -> similarity.Findings:
    """Compare submissions of m04."""
    milestone = support.COURSE.milestone(ATTENTION)
    return similarity.find(students(sources), [milestone], STUBS, reference)[0]


def test_independent_work_stays_far_below_the_threshold():
    """Of all right modules written independently, no pair of a milestone comes near the threshold."""
    scores = {
        (milestone, left, right): likeness.score(module(milestone, one), module(milestone, other))
        for milestone in support.MILESTONES
        for (left, one), (right, other) in itertools.combinations(independent(milestone).items(), 2)
    }

    assert len(scores) > 80
    assert {pair: score for pair, score in scores.items() if score > 0.6 * similarity.THRESHOLD} == {}


def test_every_copy_in_disguise_is_found():
    """Copies of every module that are renamed, reformatted, rearranged and padded stay far above the threshold."""
    scores = {
        (milestone, name): likeness.score(module(milestone, source), module(milestone, padded_copy(milestone, source)))
        for milestone in support.MILESTONES
        for name, source in independent(milestone).items()
    }

    assert len(scores) > 50
    assert {copy: score for copy, score in scores.items() if score < 1.5 * similarity.THRESHOLD} == {}


def test_most_of_those_who_copied_half_are_found():
    """With every second function replaced by somebody else's, most copies of the solution are still above it."""
    scores = []
    for milestone in support.MILESTONES:
        solution, other, *_ = independent(milestone).values()
        scores.append(likeness.score(module(milestone, solution), module(milestone, disguises.half(solution, other))))

    assert statistics.median(scores) > similarity.THRESHOLD


@pytest.mark.parametrize("milestone", support.MILESTONES)
def test_what_was_handed_out_counts_for_nobody(milestone):
    """A stub has next to nothing of its own, so that two untouched or barely begun modules are never a pair."""
    stub = (STUBS / f"{milestone}.py").read_text(encoding="utf-8")

    assert not module(milestone, stub).long_enough
    assert not module(milestone, stub.replace("raise NotImplementedError", "return None  #")).long_enough


def test_a_class_is_searched_for_pairs():
    """The copy and its source are the one pair; strangers, stubs and the barely begun are none."""
    alternates = independent(ATTENTION)
    stub = (STUBS / f"{ATTENTION}.py").read_text(encoding="utf-8")
    sources = {name: alternates[name] for name in ("einsum", "fused", "strided")}
    sources |= {"copy": disguised(ATTENTION, alternates["fused"]), "untouched": stub, "again": stub}
    sources["begun"] = stub.replace(
        'raise NotImplementedError("m04.1")', "return torch.ones(seq, seq).tril().bool()", 1
    )

    found = find(sources, support.REPOSITORY / "solutions")

    assert [(pair.left.id, pair.right.id) for pair in found.pairs] == [("fused", "copy")]
    assert found.pairs[0].likeness.score > 0.9 and not found.pairs[0].same_bytes
    assert (found.compared, [student.id for student in found.short]) == (4, ["begun"])
    assert found.references == []
    assert found.median is not None and found.median < 0.2


def test_a_copy_of_the_solution_is_named_apart():
    """What is like the reference solution is named as that, and a pair that both are says so."""
    solution = independent(ATTENTION)["solution"]
    sources = {"one": solution, "two": disguised(ATTENTION, solution), "own": independent(ATTENTION)["einsum"]}

    found = find(sources, support.REPOSITORY / "solutions")

    assert {each.student.id for each in found.references} == {"one", "two"}
    assert [pair.like_reference for pair in found.pairs] == [True]
    assert find(sources, None).references == []


def test_the_same_file_twice_of_one_student_is_no_pair():
    """Two submissions of one student are not compared with each other."""
    source = independent(ATTENTION)["fused"]
    milestone = support.COURSE.milestone(ATTENTION)
    twice = [students({"ada": source})[0]] * 2

    assert similarity.find(twice, [milestone], STUBS, None)[0].pairs == []


@pytest.mark.parametrize(
    "source",
    [b"", b"\xff\xfe\x00", b"def f(:\n  '''", b"(" * 20_000, b"x = (\n" * 2_000, b"\t\tx\n y\n", b"f'{" * 300, b"\x00"],
)
def test_a_hostile_source_is_taken_as_far_as_it_goes(source):
    """Sources that are no Python neither stop the comparison nor take long."""
    known, contract = handed_out(ATTENTION)

    taken = likeness.prepare(source, known, contract)

    assert likeness.score(taken, taken) <= 1
    assert len(taken.tokens) <= 2 * len(source)


def test_the_page_shows_passages_and_says_that_likeness_is_no_proof():
    """The page has scores, passages with line numbers side by side, and its warning; code and names are only text."""
    source = independent(ATTENTION)["fused"].replace("import math", "import math  # <script>alert(1)</script>")
    sources = {"<b>mallory</b>": source, "eve": disguised(ATTENTION, source), "bob": independent(ATTENTION)["einsum"]}
    sources["<b>mallory</b>"] += '\n\nX = "</pre><script>alert(2)</script>"\n'
    found = [find(sources, support.REPOSITORY / "solutions")]

    text = similarity_page.render(found, similarity.THRESHOLD, ["<i>A note.</i>"])

    assert "Likeness is no proof." in text
    assert "<script" not in text and "<b>mallory" not in text and "<i>A note" not in text
    assert "&lt;b&gt;mallory&lt;/b&gt;" in text
    assert re.search(r"eve, lines \d+–\d+", text)
    assert page.percent(found[0].pairs[0].likeness.score) in text
    assert text.count("<mark>") == text.count("</mark>") == 2 * len(found[0].pairs[0].likeness.passages) > 0


def test_marked_passages_are_the_shared_tokens():
    """What is marked on both sides has the same tokens, names aside."""
    alternates = independent(ATTENTION)
    left, right = module(ATTENTION, alternates["fused"]), module(ATTENTION, disguised(ATTENTION, alternates["fused"]))
    contract = handed_out(ATTENTION)[1]
    found = likeness.compare(left, right)

    assert sum(passage.length for passage in found.passages) > 0.8 * len(left.tokens)
    for passage in found.passages:
        ours = [token.text for token in left.tokens[passage.left : passage.left + passage.length]]
        theirs = [token.text for token in right.tokens[passage.right : passage.right + passage.length]]
        assert ours == theirs
    for one, other in similarity_page.sides(dataclasses.replace(found, passages=found.passages[:1]), left, right):
        assert one.before + one.marked + one.after in left.source
        assert [t.text for t in likeness.tokens(one.marked, contract)][:10] == [
            t.text for t in likeness.tokens(other.marked, contract)
        ][:10]


def test_what_does_not_count_is_not_marked():
    """Comments and docstrings within a shared passage are shown, and set apart from what two modules share."""
    source = independent(ATTENTION)["fused"].replace("    return ", "    # a word of mine\n    return ")
    theirs = module(ATTENTION, disguised(ATTENTION, source))
    ours = module(ATTENTION, source)

    shown = similarity_page.sides(likeness.compare(ours, theirs), ours, theirs)
    counting = [text for one, other in shown for side in (one, other) for text, counts in side.pieces if counts]
    aside = [text for one, _ in shown for text, counts in one.pieces if not counts]

    assert any("# a word of mine" in text for text in aside)
    assert not any("# a word of mine" in text or '"""' in text for text in counting)
    for one, _ in shown:
        assert one.before + one.marked + one.after in source


def test_an_earlier_years_class_is_compared_with_this_one_alone(tmp_path, capsys):
    """A copy of last year's work is named with the archive it is from; two of last year's are no pair."""
    fused, einsum = independent(ATTENTION)["fused"], independent(ATTENTION)["einsum"]
    folder = tmp_path / "class" / "eve"
    folder.mkdir(parents=True)
    (folder / f"{ATTENTION}.py").write_text(disguised(ATTENTION, fused), encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "2025.zip", "w") as archive:
        for name, text in (("ada", fused), ("adas-friend", fused), ("bob", einsum)):
            archive.writestr(f"{name}/{ATTENTION}.py", text)
    out = tmp_path / "report.html"

    earlier = ["--earlier", str(tmp_path / "2025.zip"), "--out", str(out), "--milestone", "m04"]
    code = cli.main(["similarity", str(tmp_path / "class"), *earlier])

    assert code == 0
    assert "1 submissions compared with each other and 3 earlier ones: 2 pairs are alike" in capsys.readouterr().out
    page_text = out.read_text(encoding="utf-8")
    assert "ada (2025.zip)" in page_text and "bob (2025.zip)" not in page_text


def test_the_command_takes_a_class_in_and_writes_the_report(tmp_path):
    """The command takes folders and archives, names people by the roster, writes the page and counts the pairs."""
    fused = independent(ATTENTION)["fused"]
    for name, text in (("ada", fused), ("bob", independent(ATTENTION)["einsum"])):
        (tmp_path / "class" / name).mkdir(parents=True)
        (tmp_path / "class" / name / f"{ATTENTION}.py").write_text(text, encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "eve.zip", "w") as archive:
        archive.writestr(f"work/exercises/{ATTENTION}.py", disguised(ATTENTION, fused))
    (tmp_path / "class.csv").write_text("id,name,email\nada,Ada Lovelace,\neve,Eve,\nbob,Bob,\n")
    out = tmp_path / "report.html"
    options = ("--out", out, "--milestone", "m04", "--roster", tmp_path / "class.csv")

    done = warm.run("grader", "similarity", tmp_path / "class", tmp_path / "eve.zip", *options)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 submissions compared: 1 pairs are alike, 0 modules are like the solution.")
    assert "<bdi>Ada Lovelace</bdi>" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{tmp}/none"], "There is no folder, archive or list"),
        (["{tmp}/one"], "fewer than two submissions"),
        (["{tmp}/one", "--roster", "{tmp}/none.csv"], "none.csv"),
        (["{tmp}/one", "--out", "{tmp}/none/report.html"], "there is no folder"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_sentence(tmp_path, capsys, arguments, sentence):
    """Wrong input ends with exit code 2 and one sentence."""
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / f"{ATTENTION}.py").write_text(independent(ATTENTION)["fused"], encoding="utf-8")
    out = [] if "--out" in arguments else ["--out", str(tmp_path / "report.html")]

    code = cli.main(["similarity", *(argument.format(tmp=tmp_path) for argument in arguments), *out])

    said = capsys.readouterr().err
    assert code == 2
    assert len(said.splitlines()) == 1 and sentence in said
