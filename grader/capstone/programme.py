"""Which stages a capstone has, in which order: each takes the model of the one before, and keeps its own."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.exits import INTERRUPTED, NOT_PASSED, PASSED, USAGE
from grader.judge.errors import UsageProblem

from . import kept, sizes, ways
from .parts import ALIGNING, ANSWERING, FINE_TUNING, NEEDED

if TYPE_CHECKING:
    from grader.submission import Submission
    from grader.syllabus import Syllabus

    from .act import Act
    from .stage import Stage

STEPS = 500  # of a text, unless others are asked for
PRUNED_STEPS = 100  # likewise, for which a pruned model is trained on


@dataclass(frozen=True)
class Part:
    """A stage that is to come: `words` ask for it alone on a command line."""

    name: str
    words: tuple[str, ...]
    folder: Path
    make: Callable[[Stage, kept.Model | None, Any], Act]


def check(options: argparse.Namespace, begin: kept.Model | None) -> None:
    """Raise UsageProblem for options that do not go together."""
    if options.preferences == "" and not answers(options, begin):
        raise UsageProblem(
            "The course's pairs are answers to instructions: fine-tune the model first (--instructions), or name pairs "
            "of your own, --preferences FILE."
        )
    sizes.check(sizes.chosen(options))
    if begin is None:
        return
    if options.instructions is None and options.preferences is None and not options.smaller:
        raise UsageProblem(
            "--from says with which model to begin; say what becomes of it: --instructions, --preferences or --smaller."
        )
    for name in ("corpus", "prompt", *sizes.DEFAULTS):
        if getattr(options, name):
            raise UsageProblem(
                f"{sizes.option(name)} belongs to a model that learns a text, and with --from none is learned."
            )


def answers(options: argparse.Namespace, begin: kept.Model | None) -> bool:
    """Say whether a model has learned instructions when it is aligned."""
    return options.instructions is not None or (begin is not None and begin.answers)


def needed(
    options: argparse.Namespace, begin: kept.Model | None, mine: Submission, course: Syllabus
) -> dict[str, tuple[int, ...]]:
    """Return the milestones and the numbers of their tasks that what was asked for is made of."""
    found = NEEDED | (FINE_TUNING if options.instructions is not None else {})
    if options.preferences is not None:
        found = (ANSWERING if answers(options, begin) else {}) | found | ALIGNING
    if options.smaller:
        for way in ways.written(mine, course) or ways.WAYS[:1]:
            found |= {name: (*found.get(name, ()), *numbers) for name, numbers in way.needs.items()}
    return found


def stages(options: argparse.Namespace, begin: kept.Model | None, able: list[ways.Way]) -> list[Part]:
    """Read what is learned from; return what is to be done, and where it is kept. Raises UsageProblem."""
    found: list[Part] = []
    folder = Path(options.out or options.begin or kept.FOLDER)
    below = bool(options.begin and not options.out)
    if options.begin is None:
        found.append(_text(options, folder))
        below = True
    if options.instructions is not None:
        folder = folder / "finetuned" if below else folder
        found.append(_lesson("--instructions", options, folder, begin))
        below = True
    if options.preferences is not None:
        folder = folder / "aligned" if below else folder
        found.append(_lesson("--preferences", options, folder, begin))
        below = True
    if options.smaller:
        found.append(_smaller(options, able, folder / "smaller" if below else folder))
    return found


def _text(options: argparse.Namespace, folder: Path) -> Part:
    from . import performance, texts

    corpus = texts.own(Path(options.corpus)) if options.corpus else texts.stories()
    prompts = tuple(options.prompt) if options.prompt else corpus.prompts
    plan = performance.Plan(
        corpus, prompts, options.steps or STEPS, options.minutes, options.device, folder, sizes.chosen(options)
    )
    return Part("learning a text", (), folder, lambda stage, _, show: performance.Performance(stage, plan, show))


def _lesson(option: str, options: argparse.Namespace, folder: Path, begin: kept.Model | None) -> Part:
    from . import examples, lesson

    if option == "--instructions":
        name, kind, path = "fine-tuning", lesson.FINE_TUNING, options.instructions
        found = examples.instructions(path)
    else:
        name, kind, path = "aligning", lesson.ALIGNING, options.preferences
        found = examples.preferences(path, answers(options, begin))
    steps, minutes, device = options.steps or kind.steps, options.minutes, options.device

    def make(stage: Stage, model: kept.Model | None, show: Any) -> Act:
        assert model is not None
        return lesson.Lesson(stage, lesson.Plan(kind, found, model, steps, minutes, device, folder), show)

    return Part(name, (option, *([path] if path else [])), folder, make)


def _smaller(options: argparse.Namespace, able: list[ways.Way], folder: Path) -> Part:
    from . import smaller

    steps, minutes, device = options.steps or PRUNED_STEPS, options.minutes, options.device

    def make(stage: Stage, model: kept.Model | None, show: Any) -> Act:
        assert model is not None
        plan = smaller.Plan([ways.AS_IT_WAS, *able], model, steps, minutes, device, folder)
        return smaller.Smaller(stage, plan, show)

    return Part("making it smaller", ("--smaller",), folder, make)


def play(
    parts: list[Part],
    model: kept.Model | None,
    stage: Stage,
    show: Any,
    sources: dict[str, bytes],
    options: argparse.Namespace,
) -> int:
    """Run one stage after another, until one ends early; return the exit code."""
    folder = options.begin
    for done, part in enumerate(parts, start=1):
        act = part.make(stage, model, show)
        code = _perform(act, show, sources)
        if act.model is not None:
            model, folder = act.model, part.folder
        rest = parts[done:]
        if rest and (code != PASSED or act.stopped):
            if folder is not None and model is not None:
                words = [word for part in rest for word in part.words]
                line = ["nox", "-s", "capstone", "--", "--from", str(folder), *words]
                show.say(f"Not begun: {', '.join(part.name for part in rest)}. For that: {shlex.join(line)}")
            return code or INTERRUPTED
        if code != PASSED:
            return code
        if rest:
            show.say("")
    return PASSED


def _perform(act: Act, show: Any, sources: dict[str, bytes]) -> int:
    """Train and write; whatever happens, say what became of it and what is kept."""
    from . import ending

    started, interrupted = time.monotonic(), False
    try:
        act.train()
        if act.model is not None:
            act.write()
    except KeyboardInterrupt:
        interrupted = True
    code = NOT_PASSED if act.trouble or act.model is None else PASSED
    if problem := ending.tell(act, show, sources, time.monotonic() - started, interrupted):
        print(f"scratchwork: {problem} Name another folder with --out.", file=sys.stderr)
        code = USAGE
    return INTERRUPTED if interrupted else code
