"""The page of a run of one's own: pictures of what differs, guide and hints behind folds, nothing of official runs."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
import torch
from driven_browser import browsing
from made_record import HOSTILE, every_outcome, hostile
from test_class_report import BROWSER, DARK, LIGHT, Elements, in_a_browser, picture

from grader import pictures, syllabus
from grader.cli import main
from grader.judge import cutting
from grader.judge.compare import CheckFailed, expect_close, expect_equal
from grader.record import FAILED, Record
from grader.reports.findings import telling_check
from grader.reports.pages import drawing, own_run

COURSE = syllabus.load()
NUMBERS = pictures.Grid(((1.5, -2.0), (math.nan, 0.0)), ((1.5, 3.25), (1.0, 0.0)), (0, 1), (4, 0, 1), (0, 0), (5, 2, 2))


def drawn_for(record: Record, picture: pictures.Picture) -> dict[str, tuple[str, pictures.Picture]]:
    """Return this picture for every failure that a page explains."""
    tasks = [task for milestone in record.milestones for task in milestone.tasks]
    told = {task.id: telling_check(task) for task in tasks}
    return {task: (check.title, picture) for task, check in told.items() if check}


def test_a_large_array_is_cut_around_its_worst_cell():
    """Of two tensors as much is kept as can be drawn, with the worst cell among it and its place in the whole."""
    expected = torch.arange(3 * 90 * 70, dtype=torch.float32).reshape(3, 90, 70)
    got = expected.clone()
    got[2, 80, 3] += 5000

    with pytest.raises(CheckFailed) as failed:
        expect_close(got, expected, atol=1e-3)
    grid = failed.value.picture()

    assert (grid.where, grid.shape, len(grid.got), len(grid.got[0])) == ((2, 80, 3), (3, 90, 70), 24, 24)
    row, column = grid.worst
    assert (grid.first[0] + row, grid.first[1] + column) == (80, 3)
    assert (grid.got[row][column], grid.expected[row][column]) == (got[2, 80, 3], expected[2, 80, 3])


def test_what_has_no_picture_has_none():
    """Single numbers, other types and other shapes are told in words alone."""
    for got, expected in ((3, 4), (torch.ones(2), torch.ones(3)), ({"a": 1}, {"a": 2}), ([1], (1,))):
        with pytest.raises(CheckFailed) as failed:
            expect_equal(got, expected)
        assert failed.value.picture is None or failed.value.picture() is None


@pytest.mark.parametrize(
    ("got", "expected", "shown", "differs"),
    [
        ([*range(50)], [*range(40), 7, *range(41, 50)], "40", 40),
        ([[1, 2], [3, 9]], [[1, 2], [3, 4]], "9", 1),
        ("tokenizer", "tokeniser", "'z'", 6),
        ([1, 2, 3], [1, 2], "3", 2),
    ],
)
def test_two_lists_are_cut_around_their_first_difference(got, expected, shown, differs):
    """The items around the first difference stand side by side, those of an inner list where it is there."""
    items = cutting.items(got, expected)

    assert items.differs == differs
    assert items.got[items.differs - items.first] == shown


def test_a_drawing_says_in_words_what_it_shows():
    """Heat maps have the framed cell's numbers in caption and label, what is no number too, and the piece's place."""
    page = Elements(drawing.drawn(NUMBERS))

    labels = [attributes["aria-label"] for tag, attributes in page.found if tag == "svg"]
    assert labels == ["Got, at [4, 0, 1] -2", "Expected, at [4, 0, 1] 3.25", "|Difference|, at [4, 0, 1] 5.25"]
    assert "Shown of shape [5, 2, 2]: [4], rows 0 to 1 and columns 0 to 1" in page.text and "nan" in page.text
    assert "Measured: 0.9; it must be below 0.75." in drawing.drawn(pictures.Bound(0.9, -math.inf, 0.75))


def test_the_page_has_pictures_guide_and_hints_where_something_fails():
    """A failure has its picture, its section of the guide and three hints, each behind a fold; what passed has none."""
    record = dataclasses.replace(every_outcome(), official=False)
    text = own_run.render(record, COURSE, drawn_for(record, NUMBERS))
    page = Elements(text)

    assert [attributes for tag, attributes in page.found if tag == "progress"]
    assert text.count("<svg") >= 3 and text.count("<svg") % 3 == 0
    assert page.text.count("Hint 1 of 3 for m04.2") == 1 and "The guide on m04.2" in page.text
    assert not [attributes for tag, attributes in page.found if tag in ("script", "img", "link", "iframe")]
    assert not [attributes for _, attributes in page.found if "style" in attributes or "open" in attributes]


def test_another_failures_picture_is_not_shown():
    """A picture belongs to the check it was made of: where the page speaks of another one, it is left out."""
    record = every_outcome()
    others = {task: ("Another check.", picture) for task, (_, picture) in drawn_for(record, NUMBERS).items()}

    assert "<svg" not in own_run.render(record, COURSE, others)


def test_hostile_text_stays_text():
    """Whatever stands in a message, a name, or the items of an answer is text on the page."""
    record = hostile()
    items = cutting.items([7, "<script>alert(1)</script>", HOSTILE], [8, "a", "b"])
    drawn = str(drawing.drawn(items))
    text = own_run.render(record, COURSE, drawn_for(record, items))

    assert "&lt;script&gt;" in drawn and drawn in text
    assert "<script" not in text and "\x1b" not in text and "\u202e" not in text


LOSSES = pictures.Curves((pictures.Line("the loss", 2, (5.25, 4.5)),), pictures.Bound(5.25, -math.inf, 1.5))
IDS = pictures.Items(("1",), ("2",), 0, 0, pictures.Tokens(("5.25",), ("<svg",), "5.25", "<svg"))


@pytest.mark.parametrize("picture", [NUMBERS, LOSSES, IDS], ids=["arrays", "losses", "ids"])
def test_an_official_runs_page_has_no_values(picture):
    """An official run's page has no message of a check's, and no picture, though somebody hands it both."""
    record = every_outcome()
    for milestone in record.milestones:
        for task in milestone.tasks:
            for check in task.checks:
                check.message = "got 42.125" if check.outcome == FAILED else check.message
    mine, theirs = (
        own_run.render(dataclasses.replace(record, official=official), COURSE, drawn_for(record, picture))
        for official in (False, True)
    )

    assert "42.125" in mine and "5.25" in mine and ("<svg" in mine or "&lt;svg" in mine)
    assert not any(word in theirs for word in ("42.125", "5.25", "<svg", "lt;svg"))
    assert "Hint 1 of 3 for m04.2" in theirs


def test_a_guide_that_cannot_be_read_leaves_the_hints(tmp_path):
    """Without a guide's file, or with another one in its place, there is no section."""
    assert own_run.section(tmp_path / "none.md", "m04.1") == ""
    (tmp_path / "other.md").write_text("# Something else\n", encoding="utf-8")
    assert own_run.section(tmp_path / "other.md", "m04.1") == ""
    (tmp_path / "own.md").write_text("## m04.1 Mine\n\n<script>alert(1)</script>\n\n## m04.2\n", encoding="utf-8")
    assert "<script" not in own_run.section(tmp_path / "own.md", "m04.1")


def test_a_guides_picture_is_told_in_words(tmp_path):
    """The page loads no picture, wherever it lies: it says what a guide's picture shows, as text."""
    text = own_run.section(COURSE.milestone("m04_attention").guide, "m04.3")
    assert "<img" not in text and "Picture in the guide: Heat maps of four heads" in text

    for place in ("https://example.com/x.png", "data:image/png;base64,eA==", "x.svg"):
        own = f'## m04.1 Mine\n\n![*A* "mask" & <b onclick=x>]({place} "title")\n'
        (tmp_path / "own.md").write_text(own, encoding="utf-8")
        text = own_run.section(tmp_path / "own.md", "m04.1")
        assert "Picture in the guide: A &quot;mask&quot; &amp; &lt;b onclick=x&gt;" in text
        assert "<img" not in text and place not in text


def test_grade_writes_the_page(tmp_path, capsys):
    """`grade --html` shows the mask that came back beside the one that was expected."""
    stub = (COURSE.milestone("m04").solution).read_text(encoding="utf-8")
    (tmp_path / "m04_attention.py").write_text(stub.replace(".tril()", ".tril(-1)"), encoding="utf-8")
    file = tmp_path / "page.html"

    code = main(["grade", "m04.1", "--submission", str(tmp_path), "--isolation", "inline", "--html", str(file)])

    assert code == 1, capsys.readouterr()
    page = Elements(file.read_text(encoding="utf-8"))
    assert "Got: at [0, 0] 0" in page.text and "Expected: at [0, 0] 1" in page.text
    assert "the diagonal is off by one" in page.text


@in_a_browser
def test_a_browser_shows_the_page_in_every_width(tmp_path):
    """The page fits windows of 360 to 1,600 pixels, and keyboard and screen reader find everything in it."""
    record = every_outcome()
    wide = cutting.grid(torch.ones(24, 24), torch.zeros(24, 24), [3, 5])
    kinds = itertools.cycle([wide, LOSSES, IDS])
    drawn = {task: (title, next(kinds)) for task, (title, _) in drawn_for(record, wide).items()}
    file = tmp_path / "page.html"
    file.write_text(own_run.render(record, COURSE, drawn), encoding="utf-8")

    with browsing(BROWSER, tmp_path / "profile") as tab:
        tab.open(file.as_uri())
        for width in (360, 768, 1600):
            tab.resize(width, 900)
            assert tab.value("document.documentElement.scrollWidth") <= width
        tab.media("print")
        assert tab.value("getComputedStyle(document.querySelector('.skip')).display") == "none"
        assert tab.value("[...document.querySelectorAll('summary, [tabindex]')].every((one) => one.tabIndex === 0)")
        assert tab.value("[...document.querySelectorAll('svg')].every((one) => one.getAttribute('aria-label'))")
        assert tab.said == []


@in_a_browser
@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_pictures_have_their_colours_in_light_and_in_the_dark(tmp_path, scheme):
    """What differs is red, and the page's own colours are those that the reader's system asks for."""
    record = every_outcome()
    wide = cutting.grid(torch.ones(24, 24), torch.zeros(24, 24), [3, 5])
    image = picture(own_run.render(record, COURSE, drawn_for(record, wide)), tmp_path, 800, scheme)

    assert (163, 36, 28) in set(image.getdata())
    assert image.getpixel((2, 2)) == ((255, 255, 255) if scheme == LIGHT else (21, 23, 27))
