"""A kept model that learns more: instructions by m10, each result in a folder of its own, and what cannot be used."""

from __future__ import annotations

import json
import signal

import pytest
import support
import torch
from small_capstone import SOLUTIONS, add, small, told_at, trained

import fixtures
from grader import cli
from grader.capstone import examples, kept, lesson, screen, sizes

LINES = [{"instruction": f"Say {n}.", "input": "now", "output": f"{n}."} for n in range(40)]


@pytest.fixture(scope="module")
def story_model(tmp_path_factory):
    """A model of 2 steps: its folder."""
    code, _, folder = trained(tmp_path_factory, 2, smaller)
    assert code == 0
    return folder


def smaller(monkeypatch):
    """Make everything small, with a context that instructions fit into."""
    small(monkeypatch)
    monkeypatch.setitem(sizes.DEFAULTS, "context_length", 96)
    monkeypatch.setattr(lesson, "LONGEST", 8)
    monkeypatch.setattr(lesson, "ASKED", 2)


@pytest.fixture
def own(tmp_path):
    """A file of instructions."""
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in LINES), encoding="utf-8")
    return path


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a capstone; return its exit code, what it printed, and what it complained of."""
    smaller(monkeypatch)

    def call(*options, folder=SOLUTIONS):
        code = cli.main(["capstone", "--submission", str(folder), *map(str, options)])
        said = capsys.readouterr()
        return code, " ".join(said.out.split()), " ".join(said.err.split())

    return call


def test_a_kept_model_learns_instructions(run, story_model, own, capsys):
    """A kept model is fine-tuned into a folder below its own, and stays as it was; chat then answers by m10."""
    before = (story_model / kept.WEIGHTS).read_bytes()

    code, shown, _ = run("--from", story_model, "--instructions", own, "--steps", 12)

    out = story_model / "finetuned"
    model = kept.read(out)
    assert code == 0
    assert (story_model / kept.WEIGHTS).read_bytes() == before
    assert model.answers and model.corpus == "the course's stories, then mine.jsonl" and model.prompt == "Say 9."
    assert "Your code printed" not in shown
    assert "36 fit into 96 tokens" in shown and "4 fit into 96 tokens" in shown and "left" in shown
    looks = [float(word) for word in shown.split("held-out loss ")[1:] for word in [word.split()[0].rstrip(".")]]
    assert looks[-1] < looks[0]
    assert "Say 9. │ now" in shown and "(expected: 9.)" in shown
    assert {path.name for path in out.iterdir()} == {*kept.NAMES, "loss.csv", "answers.txt", "loss.png"}
    assert f"nox -s chat -- --model {out}".replace("\n", "") in shown
    assert cli.main(["chat", "--submission", str(SOLUTIONS), "--model", str(out), "--prompt", "Say 3."]) == 0
    assert "### Instruction" not in (said := capsys.readouterr().out) and "Say 3." not in said


def test_a_text_instructions_and_pairs_are_learned_one_after_the_other(run, tmp_path, monkeypatch):
    """Without --from the text comes first and is kept, then the course's instructions, then pairs of their answers."""
    for name in ("INSTRUCTIONS_TRAIN", "INSTRUCTIONS_HELDOUT"):
        some = tmp_path / name
        some.write_text("".join(f"{json.dumps(line)}\n" for line in LINES[: 30 if "TRAIN" in name else 4]))
        monkeypatch.setattr(fixtures, name, some)
    out = tmp_path / "all"

    code, shown, _ = run("--instructions", "--preferences", "--steps", 2, "--out", out)

    assert code == 0
    assert not kept.read(out).answers
    tuned, aligned = kept.read(out / "finetuned"), kept.read(out / "finetuned" / "aligned")
    assert tuned.corpus == "the course's stories, then the course's instructions"
    assert aligned.corpus == f"{tuned.corpus}, then the course's pairs" and aligned.answers
    assert all(torch.equal(aligned.rows[name], tuned.rows[name]) for name in tuned.rows)
    assert shown.count("Kept in") == 3 and "m12 reads 30 pairs" in shown and "(expected: 0.)" in shown


def test_a_model_learns_which_of_two_texts_is_liked_better(run, story_model, tmp_path):
    """Of held-out pairs the kept model likes the better one more than the model that it began as did."""
    pairs = tmp_path / "pairs.jsonl"
    lines = [{"prompt": f"Day {n}:", "chosen": " sun", "rejected": " rain and wind"} for n in range(40)]
    pairs.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")

    code, shown, _ = run("--from", story_model, "--preferences", pairs, "--steps", 24)

    model = kept.read(story_model / "aligned")
    assert code == 0
    assert "the better one of 100% of the pairs" in shown
    assert not model.answers and model.heldout is None
    assert "Day 9:" in shown and "(expected: sun)" in shown
    assert "### Instruction" not in (story_model / "aligned" / "answers.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ({"prompt": "x", "chosen": "y"}, '(line 1 is not an object with "chosen" and "prompt" and "rejected")'),
        ({"prompt": "x", "chosen": "y", "rejected": "y"}, "(line 1 has the same text as chosen and rejected)"),
    ],
)
def test_pairs_that_are_none_are_said(run, story_model, tmp_path, pair, said):
    """A pair has what was asked and two different answers."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps(pair), encoding="utf-8")

    code, _, complained = run("--from", story_model, "--preferences", path, "--out", tmp_path / "out")

    assert code == 2
    assert f"--preferences {path} cannot be used {said}" in complained


def test_what_was_stopped_says_how_to_go_on(run, own, tmp_path, monkeypatch):
    """A first Ctrl-C ends the stage in good order, and the stage that has not begun is named with its command."""
    monkeypatch.setattr(screen.Screen, "progress", told_at(2, lambda: signal.raise_signal(signal.SIGINT)))
    out = tmp_path / "stopped"

    code, shown, _ = run("--instructions", own, "--steps", 9, "--out", out)

    assert code == 130
    assert f"Not begun: fine-tuning. For that: nox -s capstone -- --from {out} --instructions {own}" in shown
    assert kept.read(out).step == 2 and not (out / "finetuned" / kept.FACTS).exists()


def test_ctrl_c_in_a_lesson_keeps_the_best_so_far(run, story_model, own, tmp_path, monkeypatch):
    """A lesson that somebody stops looks once more at what is held out, keeps its model, and lets it write."""
    monkeypatch.setattr(screen.Screen, "progress", told_at(5, lambda: signal.raise_signal(signal.SIGINT)))
    out = tmp_path / "stopped"

    code, shown, _ = run("--from", story_model, "--instructions", own, "--steps", 60, "--out", out)

    assert code == 0
    assert "You have stopped it at step 5" in shown and "(expected: 9.)" in shown
    assert kept.read(out).step == 5


def test_a_lesson_that_dies_leaves_the_best_of_what_it_learned(run, story_model, own, tmp_path):
    """What m10 raises is told with its line, and the model of the last good look is kept and writes."""
    from shutil import copytree

    folder, out = copytree(SOLUTIONS, tmp_path / "mine"), tmp_path / "died"
    dies = "\n\ncalls, loss_ = [], masked_loss\n\ndef masked_loss(*given):\n    calls.append(1)\n"
    add(folder, "m10_finetuning", f"{dies}    return loss_(*given) if len(calls) < 7 else 1 / 0\n")

    code, shown, _ = run("--from", story_model, "--instructions", own, "--steps", 24, "--out", out, folder=folder)

    assert code == 1
    assert "your code raised ZeroDivisionError" in shown and "m10_finetuning.py:" in shown
    assert kept.read(out).step == 2 and "(expected: 9.)" in shown


# ── what cannot be used ───────────────────────────────────────────────────────────────────────────────────────────────

GOOD = "".join(f"{json.dumps(line)}\n" for line in LINES)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "(no such file or directory)"),
        (b"\xff\xfe", "(it is not UTF-8 text)"),
        (b"", "holds 0 examples; to learn from it takes 20 to 20,000"),
        (GOOD + "{no\n", "(line 41 is not JSON: "),
        (GOOD + '\n["x"]\n', '(line 42 is not an object with "instruction" and "output")'),
        ('{"instruction": "x"}\n' + GOOD, '(line 1 is not an object with "instruction" and "output")'),
        ('{"instruction": "x", "output": " "}\n' + GOOD, '(line 1 has no text as its "output")'),
        ('{"instruction": "x", "output": "y", "input": 3}\n' + GOOD, '(line 1 has no text as its "input")'),
        ('{"instruction": "\\ud800", "output": "y"}\n' + GOOD, '(line 1 has half a character in its "instruction")'),
        ("[" * 100_000, "nested too deep"),
        (json.dumps([*LINES, {"instruction": 1, "output": "x"}]), '(entry 41 has no text as its "instruction")'),
        ("[\n{},\n", "(line 3 is not JSON: "),
    ],
)
def test_instructions_that_are_none_are_said(run, story_model, tmp_path, content, said):
    """A file that cannot be learned from is wrong usage, in one sentence with its line, before anything is trained."""
    path = tmp_path / "mine.jsonl"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    code, shown, complained = run("--from", story_model, "--instructions", path, "--out", tmp_path / "out")

    assert code == 2
    assert said in complained and "--instructions" in complained and "Traceback" not in complained
    assert "m10" not in shown


def test_a_list_in_one_text_is_read_too(tmp_path):
    """Instructions may also be one JSON list, as others' files have them; each tenth is held out."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(LINES, indent=1), encoding="utf-8")

    found = examples.instructions(str(path))

    assert found.heldout == tuple(LINES[9::10]) and len(found.train) == 36


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "say what becomes of it: --instructions, --preferences or --smaller"),
        (("--preferences",), "fine-tune the model first (--instructions), or name pairs of your own"),
        (("--instructions", "--corpus", "x"), "--corpus belongs to a model that learns a text"),
        (("--instructions", "--prompt", "x"), "--prompt belongs to a model that learns a text"),
    ],
)
def test_options_that_do_not_go_together_are_said(run, story_model, options, said):
    """What --from cannot go with, or cannot do without, is wrong usage in one sentence."""
    code, _, complained = run("--from", story_model, *options)

    assert code == 2
    assert said in complained


def test_a_folder_without_a_model_or_with_anothers_is_said(run, story_model, tmp_path):
    """No capstone's folder, weights of another vocabulary, and a result on top of its own model: a sentence each."""
    from shutil import copytree

    from safetensors.torch import load_file, save_file

    assert run("--from", tmp_path, "--instructions")[::2] == (
        2,
        f"scratchwork: There is no trained model in {tmp_path} yet; nox -s capstone trains one.",
    )
    damaged = copytree(story_model, tmp_path / "damaged")
    weights = load_file(damaged / kept.WEIGHTS)
    weights["wte.weight"] = weights["wte.weight"][:-7].clone()
    save_file(weights, damaged / kept.WEIGHTS)
    assert "its table of tokens has shape [293, 16]" in run("--from", damaged, "--instructions")[2]
    facts = json.loads((story_model / kept.FACTS).read_text())
    facts["vocab"].append([5000, "00"])
    (damaged / kept.FACTS).write_text(json.dumps(facts))
    assert (
        "its tokenizer has ids up to 5000, and its weights are for 300 tokens"
        in run("--from", damaged, "--instructions")[2]
    )
    code, _, complained = run("--from", story_model, "--instructions", "--out", story_model)
    assert code == 2 and "is the model's own folder" in complained


def test_a_milestone_that_is_not_written_is_named(run, story_model):
    """Who has not written m10 is told what of it is missing; what it has nothing to do with is not."""
    code, shown, _ = run("--from", story_model, "--instructions", folder=support.REPOSITORY / "exercises")

    assert code == 1
    assert "m10.2 Instructions and their labels is not written yet" in shown and "m10.5" not in shown


def test_instructions_that_do_not_fit_are_said(run, story_model, own, monkeypatch, tmp_path):
    """Too few minutes to read what there is, or too small a context for it, ends in one sentence."""
    out = tmp_path / "out"
    long = tmp_path / "long.jsonl"
    long.write_text("".join(json.dumps(line | {"input": "word " * 300}) + "\n" for line in LINES), encoding="utf-8")
    code, _, complained = run("--from", story_model, "--instructions", long, "--out", out)
    assert code == 2
    assert f"--instructions {long}: 0 examples of 36 could be read; the model reads 96 tokens at once" in complained

    monkeypatch.setattr(lesson, "MINUTE", 0.0)
    code, _, complained = run("--from", story_model, "--instructions", own, "--out", out)
    assert code == 2
    assert f"--instructions {own}: 1 example of 36 could be read" in complained
    assert "--minutes ends reading too" in complained
