"""What the capstone is made of, each by itself: the text it learns from, the model it keeps, and its screen."""

from __future__ import annotations

import io
import time

import pytest
import torch
from rich.console import Console

from grader import cli
from grader.capstone import kept, screen, sizes, texts
from grader.judge.errors import UsageProblem
from grader.reports.terminal.paper import Paper


def test_documents_are_those_a_text_marks_or_some_paragraphs():
    """Marked ends part documents; else paragraphs are taken until there are enough; a single line is cut."""
    assert texts.documents("one\n<|endoftext|>\ntwo\n<|endoftext|>\n") == ["one", "two"]
    paragraphs = "".join(f"{n:04d} {'word ' * 60}\n\n" for n in range(8))
    found = texts.documents(paragraphs)
    assert [part[:4] for part in found] == ["0000", "0004"]
    assert sum(part.count("word") for part in found) == 480
    assert {len(part) for part in texts.documents("x" * 6000)} == {2000}


def test_a_text_of_ones_own_holds_out_every_tenth_part(tmp_path):
    """Of a text some is held out and nothing lost, and the prompts are how held-out parts begin."""
    path = tmp_path / "own.txt"
    path.write_text("".join(f"Part {n} begins so. {'word ' * 300}<|endoftext|>\n" for n in range(40)), encoding="utf-8")

    corpus = texts.own(path)

    assert len(corpus.train) == 36 and len(corpus.heldout) == 4
    assert corpus.prompts == ("Part 9 begins so.", "Part 19 begins so.", "Part 29 begins so.")
    assert "".join(corpus.pieces("train")).count("<|endoftext|>") == 36
    assert all(len(piece) < 2 * texts.PIECE for piece in corpus.pieces("train"))


def test_a_model_comes_back_as_it_was_kept(tmp_path):
    """Weights, sizes, vocabulary, merges and facts are the same after a round trip through the disk."""
    sizes = dict.fromkeys(kept.SIZES, 4)
    model = kept.Model({0: b"\xff", 1: b"ab"}, [(b"a", b"b")], sizes, {"w": torch.ones(2, 3)}, 7, 1.5, "tales", "Once")

    kept.keep(model, tmp_path)
    found = kept.read(tmp_path)

    assert torch.equal(found.weights.pop("w"), model.weights.pop("w"))
    assert found == model


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": {"d_model": 4}},
        {"sizes": dict.fromkeys(kept.SIZES, -1)},
        {"vocab": [[0, "xyz"]]},
        {"merges": [["00"]]},
        {"step": "7"},
        {"schema": "scratchwork-model/2"},
    ],
)
def test_facts_that_are_none_are_refused(tmp_path, change):
    """A file that holds anything but a model is refused in a sentence."""
    import json

    kept.keep(kept.Model({0: b"a"}, [], dict.fromkeys(kept.SIZES, 4), {"w": torch.ones(1)}), tmp_path)
    facts = json.loads((tmp_path / kept.FACTS).read_text()) | change
    (tmp_path / kept.FACTS).write_text(json.dumps(facts))

    with pytest.raises(UsageProblem, match="cannot be used"):
        kept.read(tmp_path)


@pytest.mark.parametrize(
    "found", [None, [], {"w": 1.0}, {1: torch.ones(1)}, {"w": torch.ones(2**27)[:1].expand(2**27)}]
)
def test_weights_that_are_none_are_refused(found):
    """What a worker hands over as weights is a bounded table of tensors, or is not taken."""
    with pytest.raises((TypeError, ValueError)):
        kept.weights(found)


@pytest.mark.parametrize("width", [24, 60, 100])
def test_text_flows_as_it_would_stand_in_a_block(width):
    """However text comes, each line of it has its gutter, no line is too wide or trails off, and no word is lost."""
    text = "There once was a fox,\nwho said:  \x1b[31m::error::no and " + "o" * 130 + " no. The end"
    out = io.StringIO()
    flow = screen.Flow(Paper(Console(file=out, width=width)))

    for start in range(0, len(text), 7):
        flow.write(text[start : start + 7])
    flow.end()

    lines = out.getvalue().split("\n")
    assert lines.pop() == ""
    assert all(line.startswith("  │") and line == line.rstrip() and len(line) <= max(24, width) for line in lines)
    words = "".join("".join(line[3:].split()) for line in lines)
    assert words == "".join(text.replace("\x1b[31m", "").replace("::error", ": :error").split())


def test_nothing_is_silent_for_long_where_nothing_can_be_drawn(monkeypatch):
    """In a log or a pipe a line says now and then what still goes on."""
    monkeypatch.setattr(screen, "SILENT", 0.02)
    out = io.StringIO()
    show = screen.Screen(Console(file=out, width=80))

    with show.doing("m01 learns a tokenizer"):
        end = time.monotonic() + 20
        while out.getvalue().count("m01 learns a tokenizer") < 3 and time.monotonic() < end:
            time.sleep(0.01)

    assert out.getvalue().startswith("m01 learns a tokenizer …\n  m01 learns a tokenizer (0.")


def test_times_are_said_as_people_say_them():
    """A time that has gone by is exact, and one that is still to come is about right."""
    assert [screen.lasted(s) for s in (0.42, 40, 185, 4200)] == ["0.4 s", "40 s", "3 min 5 s", "1 h 10 min"]
    assert [screen.about(s) for s in (1, 42, 170, 7200)] == ["about 5 s", "about 40 s", "about 3 min", "about 2.0 h"]


def test_a_busy_machine_is_said_to_be_busy(monkeypatch):
    """That others want the cores is said with numbers, and a quiet machine is not mentioned."""
    monkeypatch.setattr(screen, "cores", lambda: 2)

    monkeypatch.setattr(screen, "load", lambda: 2.5)
    assert screen.busy() == ""
    monkeypatch.setattr(screen, "load", lambda: 6.2)
    assert screen.busy().startswith("This machine is busy (some 6 programs want its 2 cores)")


def test_a_line_of_little_bars_shows_the_fall():
    """The sparkline goes from the highest bar to the lowest, and survives values that are no numbers."""
    assert screen.sparkline([4.0, 3.0, 2.0, 1.0])[0] == "█"
    assert screen.sparkline([4.0, 3.0, 2.0, 1.0])[-1] == "▁"
    assert screen.sparkline([float("nan")]) == ""


@pytest.mark.parametrize("width", [40, 60, 100])
def test_the_time_left_is_seen_at_every_width(width):
    """What goes on and how long it still takes fits into a line; bars and curves are there where there is room."""
    show = screen.Screen(Console(file=io.StringIO(), width=width, force_terminal=True))
    for tail in ("", screen.sparkline([float(n) for n in range(40)])):
        show.progress(0.5, "step 250 of 500", 170.0, tail)
        line = show._picture()
        assert line.cell_len <= width - 3
        assert "about 3 min left" in line.plain or width == 40
        assert ("█" in line.plain or "━" in line.plain) == (width == 100)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--d-model", "30"], "--d-model 30 cannot be divided by 4 and by --n-heads 4."),
        (["--n-heads", "3"], "--d-model 128 cannot be divided by 4 and by --n-heads 3."),
        (["--vocab-size", "256"], "--vocab-size 256 is no such size here: 257 to 65,536."),
        (["--context-length", "4096"], "--context-length 4096 is no such size here: 16 to 2,048."),
        (["--d-model", "512"], "has some 14,772,224 numbers; 4,200,000 are the most"),
    ],
)
def test_sizes_of_which_there_is_no_model_are_said(capsys, tmp_path, options, said):
    """Sizes that do not fit each other, or make more than can be kept, are wrong usage before anything runs."""
    code = cli.main(["capstone", "--out", str(tmp_path / "out"), *options])

    assert code == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_numbers_of_a_model_are_counted_as_torch_counts_them():
    """The count by which sizes are refused is that of the weights that leave the sandbox, but for a last norm."""
    from solutions.m06_gpt import GPT, GPTConfig

    chosen = {"vocab_size": 300, "context_length": 20, "d_model": 16, "n_layers": 3, "n_heads": 2}
    state = GPT(GPTConfig(**chosen)).state_dict()

    assert sizes.kept_numbers(chosen) == sum(value.numel() for value in state.values()) - 2 * 16
