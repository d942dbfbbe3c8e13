"""The guides' pictures are what the solutions compute, say in words what they show, and stand where pages show them."""

from __future__ import annotations

import re

import pytest

from fixtures import build, pictures
from fixtures.pictures import attention, course, grid, heads, masks, merges, rotation, sampling, schedule
from grader import syllabus

PAGES = {path.name: path.read_text(encoding="utf-8") for path in pictures.EXERCISES.glob("*.md")}
IMAGE = re.compile(r"^!\[([^]]+)\]\(([^)\s]+)\)$", re.MULTILINE)
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
each_picture = pytest.mark.parametrize("name", pictures.PICTURES)


def shown(page: str) -> dict[str, str]:
    """Return what a page says of each of its pictures, by the picture's path."""
    return {path: " ".join(words.split()) for words, path in IMAGE.findall(PAGES[page])}


def said(name: str) -> str:
    """Return what a picture's page says of it."""
    return shown(pictures.PICTURES[name])[f"pictures/{name}.svg"]


def written(picture: str) -> list[str]:
    """Return the lines of text in a picture."""
    return re.findall(r"<text [^>]*>([^<]*)</text>", picture)


@each_picture
def test_a_picture_is_what_its_code_draws(name):
    """Drawn anew from the solutions, a picture shows what stands in the exercises."""
    assert pictures.alike(pictures.draw(name), pictures.standing(name)), pictures.MEND


@each_picture
def test_a_picture_says_in_words_what_it_shows(name):
    """Its page shows it once, and says it in words, whose numbers all stand in the picture."""
    drawn = " ".join(written(pictures.standing(name)))

    assert PAGES[pictures.PICTURES[name]].count(f"({f'pictures/{name}.svg'})") == 1
    assert len(said(name)) >= 80
    assert set(NUMBER.findall(said(name))) - set(NUMBER.findall(drawn)) == set()


@each_picture
def test_a_picture_is_small_and_needs_nothing_else(name):
    """A picture brings its own paper, loads and runs nothing, tells no date, and is at most 40 kB large."""
    text = pictures.standing(name)

    assert len(text.encode()) <= pictures.LARGEST
    assert re.findall(r"<(?:script|image|use|a|foreignObject|metadata)\b|\son\w+=|href=|url\(|<dc:", text) == []
    assert re.search(r"<path [^>]*style=\"fill: #ffffff\"", text), "no paper: on a dark page nobody could read it"
    assert 'width="360pt"' in text  # wide enough for a telephone, and its text no smaller than this on one
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)px", text)) >= 8


def test_no_picture_is_stray():
    """Each file among the pictures is one that the code draws, and no page shows any other."""
    files = {path.name for path in pictures.FOLDER.iterdir()}
    paths = [path for page in PAGES for path in shown(page)]

    assert files == {f"{name}.svg" for name in pictures.PICTURES}
    assert sorted(paths) == sorted(f"pictures/{name}" for name in files)
    assert {text.count("![") for text in PAGES.values()} <= {0, 1, 2}
    assert sum(text.count("![") for text in PAGES.values()) == len(paths)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("0.87", "0.88"), True),  # a last digit that another machine rounds the other way
        (("0.87", "0.90"), False),
        (("#2f66bd", "#2f66be"), True),
        (("#2f66bd", "#b4530f"), False),
        (("wanted", "went"), False),
        (("1,768", "1,769"), False),
        (("<path/>", "<path/><path/>"), False),
    ],
)
def test_a_picture_that_shows_something_else_is_found(change, same):
    """A changed number, colour, word or shape is a difference; a last digit is none."""
    text = '<text fill="#2f66bd">wanted 0.87 of 1,768</text><path/>'

    assert pictures.alike(text, text.replace(*change)) is same


def test_what_is_wrong_is_said(monkeypatch, tmp_path, capsys):
    """The command names a missing picture, another one and a stray file, and what mends them, which does."""
    monkeypatch.setattr(pictures, "FOLDER", tmp_path)
    monkeypatch.setattr(pictures, "PICTURES", {"grid": "m13_quantization.md", "lora": "m11_lora.md"})
    (tmp_path / "lora.svg").write_text("<svg/>")
    (tmp_path / "old.svg").write_text("<svg/>")

    assert build.main(["pictures"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"wrong: exercises/pictures/grid.svg is missing; {pictures.MEND}.",
        f"wrong: exercises/pictures/lora.svg is not what its code draws; {pictures.MEND}.",
        "wrong: exercises/pictures/old.svg is no picture that code here draws.",
    ]
    (tmp_path / "old.svg").unlink()
    assert build.main(["pictures", "--write"]) == 0
    assert capsys.readouterr().out.count("written") == 2
    assert build.main(["pictures", "--write"]) == 0
    assert capsys.readouterr().out.count("as it was") == 2
    assert build.main(["pictures"]) == 0
    assert "all pictures are what they should be" in capsys.readouterr().out


# ── what the pictures say ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_map_has_every_milestone_and_what_it_is_made_of():
    """The map names each milestone, and the arrows that its words speak of are in the syllabus."""
    whole, lines = syllabus.load(), written(pictures.standing("course"))
    found = {(start[:3], end[:3]) for start, end, needed in course.arrows(whole) if needed}

    for milestone in whole.milestones:
        assert milestone.number in lines and milestone.title in lines
    assert {("m04", "m05"), ("m04", "m07"), ("m03", "m06"), ("m05", "m06")} <= found
    assert found == {(need[:3], m.number) for m in whole.milestones for need in m.needs}


def test_the_merges_are_told_as_they_are_done():
    """The words give the joined pairs in their order, each with its rank, and what is left."""
    *steps, (left, _, _) = merges.steps()

    places = []
    for tokens, at, rank in steps:
        pair, number = f"{tokens[at].decode()} + {tokens[at + 1].decode()}", f"{rank:,}"
        places += [said("merges").index(pair), said("merges").index(number, said("merges").index(pair))]
    assert places == sorted(places)
    assert f"to {left[0].decode()} and {left[1].decode()}" in said("merges")


def test_the_matrices_are_as_large_as_the_solutions():
    """The shapes in the picture of attention are those that flow through the solution's layer."""
    for value in attention.stages().values():
        assert str(tuple(value.shape)) in written(pictures.standing("attention"))
        assert f"{value.shape[-2]} by {value.shape[-1]}" in said("attention")


def test_the_largest_weights_are_told():
    """For each head the words give whose largest weight, for whom, and how large."""
    tokens, ids = heads.nano.read(heads.TEXT)
    weights = heads.nano.weights(heads.nano.model(), ids, heads.LAYER)
    places = [divmod(int(head[1:].argmax()), len(tokens)) for head in weights]

    assert [(row + 1, column) for row, column in places] == [(4, 3), (1, 1), (9, 3), (5, 5)]
    assert [tokens[place] for place in (3, 4, 1, 9, 5)] == ["cat", ".", "had", ".", "The"]
    assert (tokens.index("cat"), tokens.index(".")) == (3, 4)  # the first of each
    numbers = [f"{head[1:].max():.2f}" for head in weights]
    assert re.findall(r"\d\.\d\d", said("heads")) == numbers


def test_the_bars_are_told():
    """The words give the shares of the likeliest tokens and how many are left, setting by setting."""
    tokens, found = sampling.shares()
    plain, cold, hot, most, nucleus = (dict(zip(tokens, column, strict=True)) for column in found.values())

    for setting, token, words in (
        (plain, "wanted", "wanted has {}"), (plain, "was", "was {}"), (plain, "went", "went {}"),
        (plain, "others", "together {}"), (cold, "wanted", "gives wanted {}"), (cold, "others", "the others {}"),
        (hot, "wanted", "gives it {}"), (hot, "others", "them {}"), (most, "wanted", "five tokens, wanted at {}"),
        (nucleus, "wanted", "three, wanted at {}"),
    ):  # fmt: skip
        assert words.format(f"{setting[token]:.2f}") in said("sampling")
    assert [sum(share > 0 for share in setting.values()) for setting in (most, nucleus)] == [5, 3]
    assert sampling.BEGINNING in said("sampling") and sampling.SHOWN == 8


def test_the_rates_are_told():
    """The words give the steps at which the schedule passes its marks, and the rates there."""
    for words, step in (("past {} at", 5), ("to {} at", 10), ("past {} at", 35), ("it is {}", 60)):
        assert words.format(f"{schedule.rate(step):.3g}") in said("schedule")
        assert f"step {step}" in said("schedule")
    assert schedule.rate(schedule.LAST) == schedule.rate(60)


def test_the_errors_of_the_grids_are_told():
    """The words give each step and the largest error with it."""
    for size, part, step, error in (
        (8, slice(4), 0, "up to {}"),
        (4, slice(4), 0, "by {}"),
        (4, slice(4, 8), 1, "up to {}"),
    ):
        places, scales = grid.landed(size)
        worst = (grid.WEIGHTS - places)[part].abs().max().item()
        assert error.format(f"{worst:.3f}") in said("grid")
        assert f"{scales[step]:.2f}" in said("grid")


def test_the_dials_turn_at_the_solutions_speeds():
    """Pair 0 has nearly gone round at the last position, and the others not by far."""
    first, second, *_ = rotation.rope_frequencies(rotation.D_HEAD).tolist()

    assert 0.9 < (rotation.POSITIONS - 1) * first / (2 * rotation.math.pi) < 1
    assert (rotation.POSITIONS - 1) * second < 1


def test_the_masks_show_what_changes_what():
    """In GPT nothing depends on what comes later; in BERT everything on all words, and padding on itself."""
    causal, both = masks.both()

    assert causal.tolist() == causal.tril().tolist() and causal.tril().sum() == 21
    assert both[:, :4].all() and both[:, 4:].nonzero().tolist() == [[4, 0], [5, 1]]
