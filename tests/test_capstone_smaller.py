"""A kept model made smaller: a table of loss, bytes and speed of the ways that are written, and what is kept."""

from __future__ import annotations

import csv
import shutil

import pytest
import support
import torch
from small_capstone import SOLUTIONS, add, small, trained

from grader import cli, files
from grader.capstone import kept, smaller


@pytest.fixture(scope="module")
def story_model(tmp_path_factory):
    """A model of a few steps: its folder."""
    code, _, folder = trained(tmp_path_factory, 4, small)
    assert code == 0
    return folder


@pytest.fixture
def run(capsys, monkeypatch, story_model, tmp_path):
    """Make the model smaller; return the exit code, what it printed, what it complained of, and the table's rows."""
    small(monkeypatch)

    def call(*options, folder=SOLUTIONS, begin=story_model):
        out = tmp_path / "smaller"
        words = ["capstone", "--submission", folder, "--from", begin, "--smaller", "--out", out, *options]
        code = cli.main([*map(str, words)])
        said, rows = capsys.readouterr(), []
        if (out / "table.csv").is_file():
            with (out / "table.csv").open(encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
        return code, " ".join(said.out.split()), " ".join(said.err.split()), rows

    return call


def test_a_table_says_what_each_way_costs(run, story_model, tmp_path):
    """Int8, int4, zeros, two of four, training on and fewer neurons have their losses and bytes, and two are kept."""
    code, shown, _, rows = run("--steps", 3)

    model, stored = kept.read(story_model), {row["way"]: int(row["bytes"]) for row in rows}
    whole = sum(value.numel() * 4 for name, value in model.weights.items() if name != "lm_head.weight")
    assert code == 0
    assert [row["way"] for row in rows] == [
        *("as it was", "int8 (m13)", "int4 in groups (m13)", "half of the weights 0 (m14)"),
        *("two of four left out (m14)", "and trained on (m14)", "half of the neurons (m14)"),
    ]
    assert float(rows[0]["heldout_loss"]) == pytest.approx(model.heldout, abs=2e-4)
    # A block of d_model 16 has 12 * 256 weights in matrices; a scale is for 16 or 64 inputs.
    scales = 16 * 3 + 16 + 64 + 16
    assert stored["as it was"] == whole == stored["half of the weights 0 (m14)"]
    assert stored["int8 (m13)"] == whole - 3 * 3072 + 4 * scales
    assert stored["two of four left out (m14)"] == whole - 4 * 3072 // 2 + 3072 // 2 // 4
    assert stored["half of the neurons (m14)"] == whole - 4 * 32 * (2 * 16 + 1)
    assert all(bool(row["tokens_per_second"]) == (row["way"] in WORK_OTHERWISE) for row in rows)
    assert f"Kept in {tmp_path / 'smaller'}: table.csv, int8, pruned." in shown.replace("/ ", "/")
    assert "nox -s chat -- --model" in shown

    quantized, pruned = (kept.read(tmp_path / "smaller" / name) for name in ("int8", "pruned"))
    matrix = "h.0.mlp.c_fc.weight"
    assert (quantized.weights[matrix] - model.weights[matrix]).abs().max() <= model.weights[matrix].abs().max() / 250
    zeros = (pruned.weights[matrix].view(-1, 4) == 0).sum(dim=1)
    assert torch.equal(zeros, torch.full_like(zeros, 2)) and pruned.step == 7
    assert not torch.equal(pruned.weights["wte.weight"], model.weights["wte.weight"])
    assert len(files.read(tmp_path / "smaller" / "int8" / kept.WEIGHTS, kept.LARGEST)) < whole
    assert (
        cli.main(["chat", "--submission", str(SOLUTIONS), "--model", str(tmp_path / "smaller/int8"), "--prompt", "A"])
        == 0
    )


WORK_OTHERWISE = ("as it was", "int8 (m13)", "half of the neurons (m14)")


def test_only_what_is_written_is_tried(run, tmp_path, story_model):
    """Without m14 the table has m13's rows alone; without either what is missing is named, and nothing is tried."""
    folder = shutil.copytree(SOLUTIONS, tmp_path / "mine")
    for name in ("m14_pruning", "m13_quantization"):
        shutil.copy(support.REPOSITORY / "exercises" / f"{name}.py", folder)
        code, shown, _, rows = run(folder=folder)
        if name == "m14_pruning":
            assert code == 0 and [row["way"] for row in rows] == ["as it was", "int8 (m13)", "int4 in groups (m13)"]
    assert code == 1
    assert "m13.5 A whole model is not written yet" in shown and "m14" not in shown


def test_a_way_that_fails_leaves_the_rows_before_it(run, tmp_path):
    """What the student's code raises is told, the table so far is on disk, and an earlier one has been set aside."""
    (tmp_path / "smaller").mkdir()
    (tmp_path / "smaller" / "table.csv").write_text("of yesterday", encoding="utf-8")
    folder = shutil.copytree(SOLUTIONS, tmp_path / "mine")
    add(folder, "m14_pruning", "\n\ndef global_masks(*_):\n    raise KeyError('oops')\n")

    code, shown, _, rows = run(folder=folder)

    assert code == 1
    assert "your code raised KeyError: 'oops'" in shown and len(rows) == 3
    assert "table.csv, int8." in shown
    assert (tmp_path / "smaller" / "before" / "table.csv").read_text(encoding="utf-8") == "of yesterday"


def test_a_time_that_is_over_leaves_the_other_ways_out(run, monkeypatch):
    """When the minutes are over no other way is begun, and how many there would have been is said."""
    monkeypatch.setattr(smaller, "MINUTE", 0.0)

    code, shown, _, rows = run()

    assert rows == [] and code == 1
    assert "The time is over: 7 ways not tried." in shown and "Nothing was measured" in shown


def test_a_model_without_its_rows_is_said(run, tmp_path, story_model):
    """A folder of an earlier capstone has no texts to measure on, which is one sentence."""
    old = shutil.copytree(story_model, tmp_path / "old")
    (old / kept.ROWS).unlink()

    code, _, complained, _ = run(begin=old)

    assert code == 2
    assert "without the texts that its loss was measured on" in complained


@pytest.mark.parametrize("change", ["shape", "dtype", "ids", "name"])
def test_rows_that_are_none_are_refused(change):
    """Rows are int32 ids and labels of one shape, and of the model's vocabulary."""
    sizes = {"vocab_size": 9, "context_length": 4}
    rows = {
        name: torch.ones(2, 3, dtype=torch.int32) for name in ("train", "train_labels", "heldout", "heldout_labels")
    }
    assert kept.rows(rows, sizes) is rows
    changed = {"shape": torch.ones(2, 2), "dtype": torch.ones(2, 3), "ids": torch.full((2, 3), -100), "name": None}[
        change
    ]
    if changed is None:
        rows["more"] = rows["train"]
    else:
        rows["train"] = changed.to(torch.float32 if change == "dtype" else torch.int32)

    with pytest.raises(ValueError, match="the"):
        kept.rows(rows, sizes)
