"""`python -m grader litgpt`: write llama-nano, read and renamed by the student's own m15, as a checkpoint of LitGPT's.

LitGPT itself runs in an environment of its own: `nox -s litgpt` makes that, and fine-tunes there what stands here.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader import files, syllabus
from grader.arguments import ISOLATION, submission, submission_folder
from grader.exits import NOT_PASSED, PASSED
from grader.judge.errors import UsageProblem
from grader.sandbox import levels
from grader.submission import Submission, SubmissionError, collect

if TYPE_CHECKING:
    from torch import Tensor

    from grader.judge.llama_weights import LlamaWeights

MILESTONE = "m15_llama"
FOLDER = ".scratchwork/litgpt"
SECONDS, MEMORY_MB = 180.0, 4096
END = "<|endoftext|>"


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    submission(command)
    command.add_argument("--isolation", choices=ISOLATION[:-1], default="auto", help="how your code is shut in")
    command.add_argument(
        "--out", default=FOLDER, metavar="DIR", help=f"where the checkpoint is written (default: {FOLDER})"
    )


def run(options: argparse.Namespace) -> int:
    """Have the student's code load llama-nano and rename it; write what LitGPT reads. Return the exit code."""
    from grader.judge.llama_weights import LlamaWeights
    from grader.safe_text import one_line
    from grader.sandbox.errors import StudentError, WorkerLost

    course = syllabus.load()
    if MILESTONE not in {milestone.id for milestone in course.milestones}:
        raise UsageProblem("This copy of the course has no m15, whose Llama is what LitGPT would be given.")
    mine = collect(submission_folder(options), course)
    weights = LlamaWeights("llama-nano")
    try:
        found = renamed(mine, course, options, weights)
        wrong = first_difference(found, shapes(weights.sizes))
    except (StudentError, WorkerLost) as error:
        wrong = f"your code ended with {one_line(str(error), 300)}"
    if wrong:
        print(f"LitGPT cannot be given your Llama yet: {wrong}.\nNext: nox -s grade -- m15")
        return NOT_PASSED
    folder = Path(options.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write(folder, found, weights.sizes, weights.config["max_position_embeddings"])
    except OSError as error:
        raise UsageProblem(f"{folder} cannot be written ({files.reason(error)}); name another with --out.") from None
    count = sum(value.numel() for value in found.values())
    print(f"llama-nano, by your to_litgpt: {len(found)} tensors, {count:,} numbers, in {folder}")
    return PASSED


def renamed(mine: Submission, course: syllabus.Syllabus, options: argparse.Namespace, weights: LlamaWeights) -> Any:
    """Return what to_litgpt makes of llama-nano, which the student's own load_llama has read into their own Llama."""
    from grader.judge.student import Student
    from grader.sandbox.limits import Limits

    milestone = course.milestone(MILESTONE)
    names = course.with_uses(milestone)
    if problem := next((mine.problems[name] for name in names if name in mine.problems), ""):
        raise SubmissionError(problem)
    workers = levels.choose(options.isolation, "cpu", print)
    try:
        worker = workers.worker(Limits(SECONDS, MEMORY_MB))
        worker.set_deadline(SECONDS)
        try:
            sources = {f"{name}.py": mine.sources[name] for name in names}
            worker.conversation.request("load", sources=sources, module=MILESTONE, trace=[], blocked=[])
            student = Student(worker, MILESTONE)
            model = student.Llama(student.LlamaConfig(**weights.sizes))
            student.load_llama(model, weights.inside(student))
            return student.to_litgpt(model.state_dict())
        finally:
            worker.end()
    finally:
        workers.close()


def shapes(sizes: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of LitGPT 0.5's weights for a Llama of these sizes."""
    width, inner = sizes["d_model"], sizes["d_ff"]
    heads = sizes["n_heads"] * sizes["d_head"]
    layer = {
        "norm_1": (width,),
        "attn.qkv": (heads + 2 * sizes["n_kv_heads"] * sizes["d_head"], width),
        "attn.proj": (width, heads),
        "norm_2": (width,),
        "mlp.fc_1": (inner, width),
        "mlp.fc_2": (inner, width),
        "mlp.proj": (width, inner),
    }
    found: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("lm_head.weight", "transformer.wte.weight"), (sizes["vocab_size"], width)
    )
    for number in range(sizes["n_layers"]):
        found |= {f"transformer.h.{number}.{name}.weight": shape for name, shape in layer.items()}
    return found | {"transformer.ln_f.weight": (width,)}


def first_difference(found: Any, wanted: dict[str, tuple[int, ...]]) -> str:
    """Say in what a state is none that LitGPT reads; nothing: it is one."""
    import torch

    if type(found) is not dict:
        return "to_litgpt gives no dict"
    for name, shape in wanted.items():
        value = found.get(name)
        if type(value) is not torch.Tensor or not value.is_floating_point():
            return f"to_litgpt gives no {name}"
        if tuple(value.shape) != shape:
            return f"to_litgpt gives {name} the shape {tuple(value.shape)}, and LitGPT has {shape}"
    return "to_litgpt gives more names than LitGPT has" if len(found) > len(wanted) else ""


def write(folder: Path, state: dict[str, Tensor], sizes: dict[str, Any], positions: int) -> None:
    """Write a checkpoint as LitGPT lays it out, and our instructions as it reads them."""
    import torch
    import yaml

    import fixtures
    from grader.serving.theirs import gpt2_tokenizer

    torch.save({name: value.float() for name, value in state.items()}, folder / "lit_model.pth")
    config = {
        "name": "llama-nano",
        "block_size": positions,
        "vocab_size": sizes["vocab_size"],
        "padded_vocab_size": sizes["vocab_size"],
        "n_layer": sizes["n_layers"],
        "n_head": sizes["n_heads"],
        "n_query_groups": sizes["n_kv_heads"],
        "head_size": sizes["d_head"],
        "n_embd": sizes["d_model"],
        "intermediate_size": sizes["d_ff"],
        "norm_class_name": "RMSNorm",
        "norm_eps": sizes["eps"],
        "mlp_class_name": "LLaMAMLP",
        "rope_base": int(sizes["theta"]),
        "rotary_percentage": 1.0,
        "parallel_residual": False,
        "bias": False,
    }
    texts = {"model_config.yaml": yaml.safe_dump(config, sort_keys=False)}  # in JSON's 1e-05 YAML sees a word
    said = {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": False, "bos_token": END, "eos_token": END}
    texts |= {"tokenizer.json": gpt2_tokenizer(), "tokenizer_config.json": json.dumps(said)}
    for name, path in (("train", fixtures.INSTRUCTIONS_TRAIN), ("val", fixtures.INSTRUCTIONS_HELDOUT)):
        lines = path.read_text(encoding="utf-8").splitlines()
        texts[f"data/{name}.json"] = json.dumps([json.loads(line) for line in lines])
    for name, text in texts.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
