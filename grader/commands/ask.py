"""`python -m grader ask "…"`: a question about the course's guides, answered by the student's m17, m18 and m07."""

from __future__ import annotations

import argparse
from typing import Any

from grader import syllabus
from grader.arguments import ISOLATION, count, submission, submission_folder
from grader.asking.needed import LAST, NEEDED, PASSAGES, SIZE, overlap
from grader.capstone.beginning import opened, say_missing
from grader.capstone.parts import lacking
from grader.exits import NOT_PASSED, PASSED
from grader.judge.errors import UsageProblem
from grader.submission import collect

LONGEST = 100  # tokens of a question: more would leave a small model no room for passages
MOST = 20  # passages
SIZES = (100, 5_000)  # characters of a chunk


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    command.add_argument("question", metavar="QUESTION", help='what you want to know: "Why do chunks overlap?"')
    command.add_argument(
        "--k", type=count, default=PASSAGES, metavar="N", help=f"how many passages are found (default: {PASSAGES})"
    )
    command.add_argument(
        "--size", type=count, default=SIZE, metavar="N", help=f"characters of a chunk of a guide (default: {SIZE})"
    )
    submission(command)
    command.add_argument(
        "--isolation", choices=ISOLATION[:-1], default="auto", help="how your code is shut in (default: auto)"
    )


def run(options: argparse.Namespace) -> int:
    """Say what is missing, or answer; return the exit code."""
    from rich.console import Console

    from grader.asking import guides

    console = Console(highlight=False, markup=False)
    question = " ".join(options.question.split())
    check(options, question)
    course = syllabus.load()
    parts = collect(submission_folder(options), course)
    if missing := lacking(parts, course, NEEDED):
        return say_missing(console, missing, "Your own retriever and prompts answer.")
    sections = guides.read(course.milestones)
    from grader.asking import driver
    from grader.capstone import screen
    from grader.capstone.stage import Stage

    show = screen.Screen(console)
    workers = opened(options.isolation, "cpu", show)
    try:
        stage = Stage(workers, parts, NEEDED, LAST, driver)
        return PASSED if tell(stage, sections, question, options, show, parts.sources) else NOT_PASSED
    finally:
        workers.close()


def check(options: argparse.Namespace, question: str) -> None:
    """Raise UsageProblem for a question or a number that cannot be used."""
    from grader.judge.oracles import Data

    if any("\ud800" <= letter <= "\udfff" for letter in question):
        raise UsageProblem("The question is not UTF-8 text.")
    if not question:
        raise UsageProblem('The question is empty; ask for example: python -m grader ask "Why do chunks overlap?"')
    if len(question) > 100 * LONGEST or len(Data().tiktoken().encode_ordinary(question)) > LONGEST:
        raise UsageProblem(f"The question is longer than {LONGEST} tokens; ask for one thing at a time.")
    if options.k > MOST:
        raise UsageProblem(f"--k {options.k} is more than can be read at once; {MOST} passages are the most.")
    if not SIZES[0] <= options.size <= SIZES[1]:
        raise UsageProblem(f"--size {options.size} is no size for a chunk: {SIZES[0]} to {SIZES[1]:,} characters.")


def tell(stage: Any, sections: Any, question: str, options: argparse.Namespace, show: Any, sources: Any) -> bool:
    """Answer, show what was found and what the figures are; return whether the student's code did its part."""
    from grader.asking import judged
    from grader.asking.session import Asking
    from grader.capstone import ending
    from grader.judge.outcomes import CheckFailed
    from grader.sandbox.errors import StudentError, WorkerLost

    k, doing = options.k, "m17 reads the guides"
    try:
        with stage.cast() as cast:
            asking = Asking(cast, sections)
            chunks = asking.read(options.size, overlap(options.size))
            pages = len({section.page for section in sections})
            show.say(f"m17 has cut {pages} guides into {chunks} chunks, and searches them by BM25.", "dim")
            doing = "m18 answered"
            reply = asking.ask(question, k)
            show_reply(reply, show)
            if reply.cited:
                doing = "m07 went on from the prompt"
                show_made_up(asking.make_up(question, k, seed=0), show)
            doing = "the judged questions were answered"
            show_figures(asking.measure(*judged.read(sections), k), k, show)
    except (StudentError, WorkerLost, CheckFailed) as error:
        ending.tell_printed(stage.output, show)
        ending.explain(error, doing, show, sources, "Asking", "fewer passages (--k) or larger chunks (--size)")
        return False
    return True


def show_reply(reply: Any, show: Any) -> None:
    """Print the answer and the passages that it cites, each with its section; or that there is none, and why."""
    show.say("")
    show.quote(reply.text)
    if not reply.cited and reply.written:
        show.say("Your answer (m18.3) has no source, though a passage was quoted for it:", "yellow")
        show.quote(reply.written)
        return
    if not reply.cited:
        show.say("No passage of the guides holds enough of what you asked, so nothing is said and no model is asked.")
        return
    found = f"{sum(reply.quotes)} of {len(reply.quotes)} found"
    show.say(f"Looked up word for word in the passage that is cited: {found}.", "dim")
    for passage in reply.cited:
        number = reply.shown.index(passage) + 1 if passage in reply.shown else "not in the prompt"
        show.say("")
        show.say(f"[{number}] {passage.section.page}, section {passage.section.heading}", "bold")
        show.quote(passage.text)


def show_made_up(text: str, show: Any) -> None:
    """Print what the model writes, and what to think of it."""
    show.say("")
    show.say(
        "gpt2-nano, which knows nothing but children's stories, goes on from the same prompt by your m07.", "yellow"
    )
    show.say("Nothing of this is an answer, and no source stands behind it:", "yellow")
    show.quote(text.strip() or "(It says nothing.)")


def show_figures(figures: Any, k: int, show: Any) -> None:
    """Print what judged questions have shown."""
    show.say("")
    show.say(
        f"On {figures.questions} judged questions about these guides: recall at {k} {figures.recall:.2f}; "
        f"{figures.answered} are answered, and {figures.true} of {figures.quotes} quotations stand in the passage that "
        f"they cite. Of {figures.elsewhere} questions about other things {figures.refused} are refused."
    )
