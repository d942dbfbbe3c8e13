"""The workflow files, held to what docs/pull-requests.md promises; each rule is shown to be able to fail.

The numbers in the docstrings are those of docs/security.md.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys

import hostile_git
import pytest
import support
import systems
import yaml

from grader import cli

WORKFLOWS = support.REPOSITORY / ".github" / "workflows"
GRADE, CI, CLASSROOM = (
    WORKFLOWS / "grade.yml",
    WORKFLOWS / "ci.yml",
    support.REPOSITORY / "docs" / "github-classroom.yml",
)
ALL = [GRADE, CI, CLASSROOM]
PINNED = re.compile(r"actions/[a-z-]+@[0-9a-f]{40}")
FROM_THE_EVENT = {"number", "base.sha", "head.sha"}  # made by GitHub; a student chooses none of their characters
TAKING_OUT = re.compile(r"\bgit\b.*\b(checkout|switch|merge|rebase|restore|reset|pull|worktree|apply|am|cherry-pick)\b")
BOUNDED = re.compile(r"ulimit -d \d+ -f \d+.*-c fetch\.fsckObjects=true.*\sfetch\s", re.DOTALL)


def faults(text: str) -> list[str]:
    """Return what is wrong with any workflow of ours."""
    plain, found = yaml.safe_load(text), []
    if plain.get("permissions") != {}:
        found.append("115: a job that asks for nothing gets rights")
    for job in plain["jobs"].values():
        if job.get("permissions") != {"contents": "read"}:
            found.append("115: a job has other rights than to read")
        if "timeout-minutes" not in job:
            found.append("a job without a time limit")
        for step in job["steps"]:
            found += _step_faults(step)
    for line in text.splitlines():
        if "uses:" in line and not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line):
            found.append("an action's commit without the release that it is")
    if "secrets." in text:
        found.append("a secret is used")
    return found


def _step_faults(step: dict) -> list[str]:
    found, options = [], step.get("with", {})
    if "uses" in step and not PINNED.fullmatch(step["uses"]):
        found.append("an action that is not GitHub's own, or not pinned by a full commit")
    if step.get("uses", "").startswith("actions/cache") or "cache" in options:
        found.append("110: a shared cache")
    if step.get("uses", "").startswith("actions/checkout") and options.get("persist-credentials") is not False:
        found.append("115: the token stays behind in the repository")
    if "${{" in step.get("run", ""):
        found.append("111: an expression is pasted into a script")
    return found


def target_faults(text: str) -> list[str]:
    """Return what is wrong with a workflow that runs with the base's rights."""
    plain, found = yaml.safe_load(text), faults(text)
    if set(plain[True]) != {"pull_request_target"}:  # YAML 1.1 takes the word "on" for true
        found.append("107: the head's own workflow would run, or another event's")
    for used in re.findall(r"github\.(?:event\.pull_request\.)?([\w.]*)", " ".join(re.findall(r"\$\{\{.*?\}\}", text))):
        if used not in FROM_THE_EVENT | {"token"}:
            found.append(f"111: {used} is chosen by whoever opens the pull request")
    for step in plain["jobs"]["grade"]["steps"]:
        if step.get("uses", "").startswith("actions/checkout"):
            if {"ref", "repository", "allow-unsafe-pr-checkout"} & set(step["with"]):
                found.append("108: something else than the base is checked out")
            if step["with"].get("submodules") or step["with"].get("lfs"):
                found.append("114: submodules or LFS are fetched")
        if TAKING_OUT.search(step.get("run", "")):
            found.append("108: git writes into the work tree")
        if " fetch " in step.get("run", "") and not BOUNDED.search(step["run"]):
            found.append("100: what is fetched is not checked, or without bounds")
    grading = next(step["run"] for step in plain["jobs"]["grade"]["steps"] if step["name"] == "Grade")
    for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"):
        if f"-u {name} " not in grading:
            found.append(f"113: {name} is handed to the grader")
    return found


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_workflows_have_few_rights_and_pinned_actions(path):
    """Read-only, no secret, no shared cache, no expression inside a script, actions pinned by full commit."""
    assert faults(path.read_text(encoding="utf-8")) == []


def test_attacks_107_to_115_the_grading_workflow_runs_the_base_alone():
    """The base's file, the base checked out, the head nothing but objects, and nothing of a student's choice in it."""
    assert target_faults(GRADE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("there", "instead", "said"),
    [
        ("  pull_request_target:", "  pull_request:", "107"),
        ("  pull_request_target:", "  workflow_run:\n  pull_request_target:", "107"),
        ("fetch-depth: 0", "ref: ${{ github.event.pull_request.head.sha }}", "108"),
        ("fetch-depth: 0", "ref: refs/pull/7/merge", "108"),
        ("fetch-depth: 0", "allow-unsafe-pr-checkout: true", "108"),
        ("nox -s env", "git checkout refs/pull-request/head\n          nox -s env", "108"),
        ('python-version: "3.13"', 'python-version: "3.13"\n          cache: pip', "110"),
        ("$NUMBER/head", "${{ github.event.pull_request.number }}/head", "111"),
        ("HEAD: ${{ github.event.pull_request.head.sha }}", "HEAD: ${{ github.event.pull_request.head.ref }}", "111"),
        ("HEAD: ${{ github.event.pull_request.head.sha }}", "HEAD: ${{ github.head_ref }}", "111"),
        ("-u GITHUB_ENV ", "", "113"),
        ("-c fetch.fsckObjects=true ", "", "100"),
        ("ulimit -d 4194304 -f 2097152", "true", "100"),
        ("lfs: false", "lfs: true", "114"),
        ("persist-credentials: false", "persist-credentials: true", "115"),
        ("contents: read", "contents: write", "115"),
        ("permissions: {}\n", "", "115"),
        ("${{ github.token }}", "${{ secrets.TOKEN }}", "secret"),
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1", "@v7", "pinned"),
        ("timeout-minutes: 45\n", "\n", "time limit"),
    ],
)
def test_each_rule_can_be_broken(there, instead, said):
    """A workflow that breaks one rule is found out by it."""
    text = GRADE.read_text(encoding="utf-8")
    assert there in text

    assert any(said in fault for fault in target_faults(text.replace(there, instead, 1)))


def test_the_sandbox_is_made_possible_before_it_is_needed():
    """The sandbox is installed, and Ubuntu's limit on user namespaces lifted, before anything is graded."""
    for path in ALL:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            scripts = [step.get("run", "") for step in job["steps"]]
            ready = next(n for n, script in enumerate(scripts) if "apparmor_restrict_unprivileged_userns=0" in script)
            used = next(n for n, script in enumerate(scripts) if "-m grader" in script or "nox -s tests" in script)
            assert ready < used and "install -y -qq bubblewrap" in scripts[ready]


@pytest.mark.parametrize("path", [GRADE, CLASSROOM], ids=lambda path: path.name)
def test_the_grader_takes_the_arguments_it_is_given(path):
    """The command line in the workflow is one that the grader of the same commit understands."""
    steps = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]["grade"]["steps"]
    script = next(step["run"] for step in steps if step["name"] == "Grade").replace("\\\n", " ")
    line = next(line for line in script.splitlines() if "-m grader" in line).partition("||")[0]
    words = shlex.split(line.replace('"${milestones[@]}"', "m00 m04"))

    options = cli.parser().parse_args(words[words.index("grader") + 1 :])

    assert options.json and options.seed == "random" and options.isolation in ("auto", "bubblewrap")


FETCHING = "Fetch the pull request as objects"


@systems.linux
@systems.bash
def test_attack_99_a_folder_that_no_git_writes_is_not_even_fetched(tmp_path):
    """The step that fetches, run for real: a head with two modules of one name fails it, and leaves no branch."""
    origin = hostile_git.Repository(tmp_path / "origin")
    base = origin.commit({"exercises/m00_warmup.py": "base\n"})
    twice = hostile_git.Raw((hostile_git.FILE, "m00_warmup.py", content) for content in ("right\n", "wrong\n"))
    origin.git("update-ref", "refs/heads/main", base)
    origin.git("update-ref", "refs/pull/7/head", origin.commit({"exercises": twice}, base))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", f"file://{origin.folder}", clone], check=True)
    steps = yaml.safe_load(GRADE.read_text(encoding="utf-8"))["jobs"]["grade"]["steps"]
    script = next(step["run"] for step in steps if step["name"] == FETCHING)
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NUMBER": "7", "TOKEN": "hidden"}

    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script], cwd=clone, env=environment, capture_output=True, check=False
    )

    assert done.returncode != 0 and b"duplicateEntries" in done.stderr
    refs = subprocess.run(["git", "for-each-ref", "refs/pull-request"], cwd=clone, capture_output=True, check=True)
    assert refs.stdout == b""


@systems.linux
@systems.bash
def test_attack_108_the_head_comes_in_as_objects_only(tmp_path):
    """The step that fetches, run for real: the commit is there, the work tree and HEAD are the base's still."""
    origin = hostile_git.Repository(tmp_path / "origin")
    base = origin.commit({"exercises/m00_warmup.py": "base\n"})
    head = origin.commit({"exercises/m00_warmup.py": "head\n", ".gitattributes": "* filter=evil\n"}, base)
    origin.git("update-ref", "refs/heads/main", base)
    origin.git("update-ref", "refs/pull/7/head", head)
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", f"file://{origin.folder}", clone], check=True)
    steps = yaml.safe_load(GRADE.read_text(encoding="utf-8"))["jobs"]["grade"]["steps"]
    script = next(step["run"] for step in steps if step["name"] == FETCHING)

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=clone, capture_output=True, text=True, check=True).stdout.strip()

    before = {str(path): path.read_bytes() for path in clone.iterdir() if path.is_file()}
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "NUMBER": "7", "TOKEN": "hidden"}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=clone, env=environment, check=True)

    assert git("rev-parse", "refs/pull-request/head") == head
    assert git("rev-parse", "HEAD") == base and git("status", "--porcelain") == ""
    assert {str(path): path.read_bytes() for path in clone.iterdir() if path.is_file()} == before
    assert "hidden" not in (clone / ".git" / "config").read_text(encoding="utf-8")


def test_classroom_is_told_the_points_of_the_record(tmp_path):
    """The template's last step, run for real, prints the two notices that Classroom reads."""
    steps = yaml.safe_load(CLASSROOM.read_text(encoding="utf-8"))["jobs"]["grade"]["steps"]
    script = next(step["run"] for step in steps if step["name"] == "Tell Classroom")
    code = script.partition("<<'PYTHON'\n")[2].removesuffix("PYTHON\n")
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"earned": 7.5, "possible": 25.0}), encoding="utf-8")

    said = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout

    assert said.splitlines() == [
        "::notice title=Autograding complete::Points 7.5/25",
        '::notice title=Autograding report::{"totalPoints": 7.5, "maxPoints": 25.0}',
    ]
