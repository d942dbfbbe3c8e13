"""Make the files of this folder with the code of 05086ce: python tests/files_of_05086ce/make.py TREE TARGET.

TREE is a checkout of that commit, TARGET a folder. The people are made up, the submissions are made of the commit's own
stubs and solutions, and the seed is the public one: made again, the files hold the same marks (but other times). The
name of TARGET stands nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PEOPLE = {"a1": "Anna One", "b2": "Ben Two", "c3": "Cleo Three"}
DAYS = {"a1": "2026-03-01 09:30:00 Z", "b2": "2026-03-04 09:30:00 Z", "c3": "2026-03-02 11:59:00 Z"}
EXERCISES = Path("/var/tmp/scratchwork-of-05086ce/exercises")  # whose progress is kept, by this name


def main(tree: Path, target: Path) -> None:
    """Make the gradebook, what the commit exports of it, and the progress."""
    right, stub = (
        {name: (tree / folder / f"{name}.py").read_text("utf-8") for name in ("m00_warmup", "m03_embedding")}
        for folder in ("solutions", "exercises")
    )
    mistaken = right["m00_warmup"] + "\n\ndef softmax(scores, *more, **named):\n    return scores.exp()\n"
    handed_in = {
        "a1": right,
        "b2": {"m00_warmup": mistaken, "m03_embedding": right["m03_embedding"]},
        "c3": {"m00_warmup": right["m00_warmup"], "m03_embedding": stub["m03_embedding"]},
    }
    work = target / "work"
    export = work / "assignment_1_export"
    lines = ["---"]
    for number, (who, modules) in enumerate(handed_in.items(), 101):
        folder = export / f"submission_{number}"
        folder.mkdir(parents=True)
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text, encoding="utf-8")
        lines += [f"submission_{number}:", "  :submitters:", f"  - :name: {PEOPLE[who]}", f"    :sid: {who}"]
        lines += [f"    :email: {who}@example.org", f"  :created_at: {DAYS[who]}"]
    (export / "submission_metadata.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    roster = "id,name,email\n" + "".join(f"{who},{name},{who}@example.org\n" for who, name in PEOPLE.items())
    (work / "roster.csv").write_text(roster, encoding="utf-8")
    course, book = str(HERE / "course.toml"), str(target / "book-of-05086ce.sqlite")

    def grader(*arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "grader", *arguments]
        done = subprocess.run(command, cwd=tree, env=os.environ | environment, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(arguments)} ended with exit code {done.returncode}")

    grader("classroom", str(export), "--roster", str(work / "roster.csv"), "--course", course, "--gradebook", book)
    for name, format_ in (("marks.csv", "tasks"), ("standing.json", "json")):
        grader("export", book, "--course", course, "--format", format_, "--out", str(target / name))
    shutil.rmtree(EXERCISES.parent, ignore_errors=True)
    shutil.copytree(export / "submission_102", EXERCISES)
    state = {"SCRATCHWORK_STATE": str(work)}
    grader("grade", "m00", "m03", "--submission", str(EXERCISES), **state)
    grader("hint", "m00.1", **state)
    progress = json.loads((work / "progress.json").read_text(encoding="utf-8"))
    (target / "progress.json").write_text(json.dumps(progress, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(EXERCISES.parent)
    shutil.rmtree(work)
    Path(f"{book}.lock").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
