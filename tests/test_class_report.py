"""The class report: what it counts, that nothing in it runs, and what a real browser makes of it."""

from __future__ import annotations

import dataclasses
import html.parser
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import made_class
import pytest
from browsers import BROWSER, NONE_HERE
from made_record import every_outcome
from PIL import Image

from grader.record import CRASHED, FAILED, PASSED
from grader.reports.pages import class_report, page
from grader.reports.pages import record as record_page
from grader.reports.pages.class_figures import figures

NOW = datetime(2026, 3, 20, tzinfo=UTC)
in_a_browser = pytest.mark.skipif(BROWSER is None, reason=NONE_HERE)
LIGHT, DARK = "1", "0"


class Elements(html.parser.HTMLParser):
    """All elements of a page with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def browse(text: str, folder: Path, *options: str) -> str:
    """Open a page in a real browser without network; return what it prints."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
    command += ["--proxy-server=127.0.0.1:9", "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run([*command, *options, file.as_uri()], capture_output=True, check=False, timeout=120)
    said = done.stderr.decode("utf-8", errors="replace")
    assert done.returncode == 0, said
    assert "CONSOLE" not in said, f"the browser complains: {said}"
    return done.stdout.decode("utf-8")


def picture(text: str, folder: Path, width: int, scheme: str = LIGHT) -> Image.Image:
    """Return what the browser shows of a page."""
    file = folder / "page.png"
    options = (f"--screenshot={file}", f"--window-size={width},3000", f"--blink-settings=preferredColorScheme={scheme}")
    browse(text, folder, *options)
    return Image.open(file).convert("RGB")


def test_the_figures_are_those_of_the_class():
    """Scores, tasks and mistakes are counted over who handed in, each student once for a mistake."""
    found = figures(made_class.hostile_class(), NOW)

    assert (len(found.handed_in), [s.student.id for s in found.missing]) == (8, ["s004"])
    assert sum(each.count for each in found.bins) == 8 and found.bins[9].count == 1
    tasks = {task.id: task for task in found.tasks}
    assert (tasks["m04.2"].earned, tasks["m04.2"].tried, tasks["m04.2"].median) == (1, 7, 0.25)
    assert [(m.task, m.students) for m in found.mistakes] == [("m04.2", 4), ("m00.1", 1)]
    assert found.median == 11.125 and found.full == 1


def test_who_needs_help_is_named_with_reasons():
    """A file that could not be graded names a student; one weak sign does not, two do."""
    result = made_class.hostile_class()
    by_id = {person.standing.student.id: person.reasons for person in figures(result, NOW).help}

    assert list(by_id) == ["s005"]
    assert any("Has not begun m04" in reason for reason in by_id["s005"])

    first, attention = result.standings[0], made_class.milestone("m04_attention", CRASHED, FAILED, FAILED)
    first.milestones = {"m00_warmup": made_class.milestone("m00_warmup", PASSED, FAILED), "m04_attention": attention}
    reasons = {person.standing.student.id: person.reasons for person in figures(result, NOW).help}["s001"]
    assert reasons[0] == "Code breaks: m04.1 crashed."
    assert reasons[1].startswith("Is stuck at m00.2 Cross-entropy from logits")


def test_a_due_date_makes_what_is_not_begun_late():
    """What few have begun is held against nobody, until its due date has passed."""
    result = made_class.large_class(students=5)
    for standing in result.standings:
        standing.milestones.pop("m04_attention", None)

    def late(now: datetime | None) -> bool:
        text = class_report.render(result, now)
        return "Has not begun m04" in text or any("m04" in r for p in figures(result, now).help for r in p.reasons)

    result.standings[0].milestones = {"m00_warmup": made_class.milestone("m00_warmup", CRASHED, CRASHED)}
    assert late(NOW)
    assert not late(datetime(2026, 1, 1, tzinfo=UTC))
    assert not late(None)


def test_an_empty_class_has_a_page():
    """Nobody on the roster, or nothing handed in, gives a page that says so."""
    empty = dataclasses.replace(made_class.hostile_class(), standings=[])
    silent = dataclasses.replace(empty, standings=[made_class.standing(1, "Ada")])

    for result in (empty, silent):
        assert "Nobody has handed in anything yet." in class_report.render(result, NOW)


@pytest.mark.parametrize("render", [lambda: class_report.render(made_class.hostile_class(), NOW), None])
def test_a_page_is_one_file_without_a_script(render):
    """No element loads or runs anything, names stand there as text, and every heading in the menu exists."""
    text = render() if render else record_page.render(every_outcome())
    found = Elements(text)

    assert {tag for tag, _ in found.found} & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
    } == set()
    for tag, attributes in found.found:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset")], tag
        assert attributes.get("href") is None or attributes["href"].startswith("#")
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for tag, attributes in found.found if tag == "a" and attributes["href"]]
    assert set(links) <= set(ids)
    if render:
        assert "<script>alert(1)</script>, Mallory" in found.text
        assert "\\u202eedoc\\u202c Grace" in found.text


def test_colours_have_enough_contrast():
    """Text reaches WCAG's 4.5 to 1 on page and panel, and bars 3 to 1, in light and dark."""
    css = (page.TEMPLATES / "style.css").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)]

    assert len(schemes) == 2
    for colours in schemes:
        for text in ("text", "quiet", "link", "good", "bad"):
            for ground in ("page", "panel"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["mark-text"], colours["mark"]) >= 4.5
        assert contrast(colours["bar"], colours["page"]) >= 3


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2.2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@in_a_browser
def test_a_browser_reads_the_page_as_it_was_meant(tmp_path):
    """A real browser takes the page without a complaint, with its own style, and with hostile names as text."""
    shown = Elements(browse(class_report.render(made_class.hostile_class(), NOW), tmp_path, "--dump-dom"))

    assert "<script>alert(1)</script>, Mallory" in shown.text
    assert [tag for tag, _ in shown.found if tag in ("script", "b")] == []
    assert len([tag for tag, attributes in shown.found if tag == "rect" and attributes["class"] == "bar"]) == 15


@in_a_browser
def test_a_browser_follows_the_policy(tmp_path):
    """Should markup ever slip through, the page's policy keeps the browser from running it."""
    text = class_report.render(made_class.large_class(), NOW)
    slipped = text.replace("</h1>", "</h1><script>document.title = 'owned'</script>", 1)

    with pytest.raises(AssertionError, match="Content Security Policy"):
        browse(slipped, tmp_path, "--dump-dom")


@in_a_browser
def test_a_browser_shows_it_light_dark_and_on_a_phone(tmp_path):
    """The page is light or dark as the reader has it, has its blue bars in both, and is no wider than a phone."""
    text = class_report.render(made_class.large_class(), NOW)
    light, dark = picture(text, tmp_path, 1100), picture(text, tmp_path, 1100, DARK)
    narrow = picture(text, tmp_path, 390)

    assert light.getpixel((2, 2)) == (255, 255, 255) and dark.getpixel((2, 2)) == (0x15, 0x17, 0x1B)
    for shown, colour in ((light, (0x2F, 0x66, 0xBD)), (dark, (0x7B, 0xA6, 0xEF)), (narrow, (0x2F, 0x66, 0xBD))):
        assert sum(count for count, each in shown.getcolors(2**24) if each == colour) > 2_000
    edge = narrow.crop((narrow.width - 8, 0, narrow.width, 250))
    assert edge.getcolors() == [(8 * 250, (255, 255, 255))], "the page's head runs over the edge of a phone"


def test_who_is_excused_from_some_of_it_is_compared_by_the_rest():
    """Half of the course with full marks is no half of the points, in the distribution and among who needs help."""
    result = made_class.hostile_class()
    result.standings = [result.standings[6], result.standings[0]]  # all of both, and of the first one
    result.standings[1].excused = {"m04_attention": "ill"}
    found = figures(result)

    assert [bin.count for bin in found.bins][-1] == 2 and found.full == 2
    assert found.median == result.possible and found.help == []
