"""Pull requests that a stranger could open and should not: what each changes in the course, as `hostile_git` writes it.

A change is a content, or a mode with it, or None for what is taken away. `right` is the source of a right m00, which
nobody may get at this way, and `marker` a file that is there once anything of the head was run. Some write a tree or
a commit that git itself never would: two entries of one name, of which a reader takes the first and a checkout the last.
"""

from collections.abc import Callable
from pathlib import Path

from hostile_git import FILE, FOLDER, HEADERS, LINK, MESSAGE, PROGRAM, ROOT, SUBMODULE, Raw

Changes = dict
WARMUP, ATTENTION = "exercises/m00_warmup.py", "exercises/m04_attention.py"
WRONG = "def softmax(x, dim=-1):\n    return x\n"
LOUD = """
import sys

for stream in (sys.stdout, sys.stderr):
    print("::error file=grader/cli.py::pwned", "::add-mask::seed", "##[command]pwned", sep="\\n", file=stream)
    print("::set-output name=result::passed\\r\\n::stop-commands::mine", flush=True, file=stream)


def softmax(x, dim=-1):
    raise RuntimeError("::error::pwned\\n::warning file=m00.py,line=1::pwned")
"""
TWINS = ("exercises/M00_warmup.py", "exercises/m00_warmup.PY", "exercises/ｍ00_warmup.py", "exercises/m00_warm\u200bup.py")
TWIN_FOLDERS = ("Exercises", "EXERCISES", "ｅxercises", "exercises ", "ex\u200bercises")


def a97_link_out(right: str, marker: Path) -> Changes:
    """Has a symbolic link to the machine's accounts in place of the module."""
    return {WARMUP: (LINK, "/etc/passwd")}


def a97_link_to_the_solutions(right: str, marker: Path) -> Changes:
    """Has a symbolic link into the base's own solutions in place of the module."""
    return {WARMUP: (LINK, "../solutions/m00_warmup.py")}


def a97_link_for_the_folder(right: str, marker: Path) -> Changes:
    """Has a symbolic link in place of the folder with all modules."""
    return {"exercises": (LINK, "/etc")}


def a97_folder_for_the_module(right: str, marker: Path) -> Changes:
    """Has a folder of the module's name, a package with a right solution in it."""
    return {WARMUP: None, f"{WARMUP}/__init__.py": right}


def a100_large_module(right: str, marker: Path) -> Changes:
    """Has a right module with more in it than a module may hold."""
    return {WARMUP: right + "#" * 70_000}


def a100_huge_module(right: str, marker: Path) -> Changes:
    """Has a module of five megabytes, which are a few kilobytes in git's store."""
    return {WARMUP: "#" * 5_000_000}


def a100_thousands_of_files(right: str, marker: Path) -> Changes:
    """Lays ten thousand files beside the module, to be listed in the report."""
    return {WARMUP: right, **{f"exercises/{number}.bin": "x" for number in range(10_000)}}


def a102_renamed_module(right: str, marker: Path) -> Changes:
    """Takes the module away and lays a right one there under a name in another case."""
    return {WARMUP: None, "exercises/M00_Warmup.py": right}


def a102_twins_of_the_module(right: str, marker: Path) -> Changes:
    """Has a right solution under names that look like the module's: other case, full-width letters, unseen characters."""
    return dict.fromkeys(TWINS, right)


def a102_twins_of_the_folder(right: str, marker: Path) -> Changes:
    """Has a right solution in folders whose names look like that of the exercises."""
    return {f"{folder}/m00_warmup.py": right for folder in TWIN_FOLDERS}


def a107_grader_of_its_own(right: str, marker: Path) -> Changes:
    """Brings its own grader, workflow, syllabus and submodules, and plants modules."""
    planted = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    names = (
        "grader/__init__.py", "grader/cli.py", "grader/judge/run.py", "noxfile.py", "conftest.py", "sitecustomize.py",
        "exercises/conftest.py", "exercises/torch.py", "exercises/__init__.py", "torch.py", "setup.py",
    )  # fmt: skip
    return {
        **dict.fromkeys(names, planted),
        WARMUP: LOUD,
        "grader/syllabus.toml": "[course]\n",
        ".github/workflows/grade.yml": f"on: pull_request\njobs: {{x: {{steps: [run: touch {marker}]}}}}\n",
        ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% marker\n',
        "x": (SUBMODULE, "1" * 40),
    }


def a111_names_that_are_commands(right: str, marker: Path) -> Changes:
    """Names files after commands, with line ends, escapes, quotes and bytes that are no text in them."""
    names = [
        b"exercises/new\nline.py", b"exercises/::error::x\n::error::y", b"exercises/\x1b[31mred",
        b"exercises/\xff\xfe.py", b"\"quoted\" 'name'.py", b"tab\tname", b"a\r::add-mask::b",
        "\u202egnp.exe".encode(), b"$(touch pwned);`x`",
    ]  # fmt: skip
    return dict.fromkeys(names, "x")


def a112_commands_in_what_is_printed(right: str, marker: Path) -> Changes:
    """Prints and raises commands to the workflow from the module that is graded."""
    return {WARMUP: LOUD}


def a114_submodule_for_the_module(right: str, marker: Path) -> Changes:
    """Has a submodule in place of the module."""
    return {WARMUP: (SUBMODULE, "1" * 40)}


def a114_submodule_for_the_folder(right: str, marker: Path) -> Changes:
    """Has a submodule in place of the folder with all modules."""
    return {"exercises": (SUBMODULE, "1" * 40)}


def a114_pointer_to_a_large_file(right: str, marker: Path) -> Changes:
    """Has a pointer of Git LFS in place of the module, for something else to be fetched."""
    return {WARMUP: f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\n"}


def a99_two_modules_of_one_name(right: str, marker: Path) -> Changes:
    """Names the module twice in one folder: the first is right, and the last, which git checks out, is not."""
    return {"exercises": Raw([(FILE, "m00_warmup.py", right), (FILE, "m00_warmup.py", WRONG)])}


def a99_module_and_folder_of_one_name(right: str, marker: Path) -> Changes:
    """Has a right module and a folder of the same name, which do not even lie side by side in git's order."""
    between = (FILE, "m00_warmup.py-", "x")
    return {"exercises": Raw([(FILE, "m00_warmup.py", right), between, (FOLDER, "m00_warmup.py", {"x.py": WRONG})])}


def a99_two_folders_of_one_name(right: str, marker: Path) -> Changes:
    """Names the folder of the exercises twice, with a right module in the first and a wrong one in the second."""
    return {ROOT: Raw([(FOLDER, "exercises", {"m00_warmup.py": each}) for each in (right, WRONG)])}


def a99_module_named_with_its_path(right: str, marker: Path) -> Changes:
    """Has a second module in the root, by a name with a slash in it that git checks out over the first."""
    twice = [(FOLDER, "exercises", {"m00_warmup.py": right}), (FILE, "exercises/m00_warmup.py", WRONG)]
    return {ROOT: Raw(twice)}


def a99_names_in_another_order(right: str, marker: Path) -> Changes:
    """Lists the modules in another order than git does, so that who looks for one may miss it or find another."""
    return {"exercises": Raw([(FILE, "m04_attention.py", "x = 1\n"), (FILE, "m00_warmup.py", right)])}


def a99_folder_above(right: str, marker: Path) -> Changes:
    """Has a folder named .. beside a right module, with a grader in it."""
    return {"exercises": Raw([(FOLDER, "..", {"grader": {}}), (FILE, "m00_warmup.py", right)])}


def a99_git_folder_under_another_name(right: str, marker: Path) -> Changes:
    """Brings hooks and configuration in a folder that file systems take for .git: other case, unseen letters, GIT~1."""
    hooks = {"config": "[core]\n", "hooks/post-checkout": (PROGRAM, f"#!/bin/sh\ntouch {marker}\n")}
    return {ROOT: Raw([(FOLDER, ".g\u200cIt", hooks), (FOLDER, "GIT~1", hooks), (FOLDER, "exercises", {"m00_warmup.py": right})])}


def a97_module_of_an_unknown_mode(right: str, marker: Path) -> Changes:
    """Gives a right module the mode of a pipe, which every reader of git's makes into something else."""
    return {WARMUP: ("10644", right)}


def a97_folder_behind_a_files_mode(right: str, marker: Path) -> Changes:
    """Calls a folder a file by its mode, to be read in place of the module."""
    return {WARMUP: (FILE, {"m00_warmup.py": right})}


def a100_folders_of_folders(right: str, marker: Path) -> Changes:
    """Lays a folder beside a right module that names another thirty times, and that one the next: 27,000 paths."""
    bottom = Raw((FILE, f"{number:02}", "x") for number in range(30))
    middle = Raw((FOLDER, f"{number:02}", bottom) for number in range(30))
    return {WARMUP: right, "exercises/data": Raw((FOLDER, f"{number:02}", middle) for number in range(30))}


def a100_long_message(right: str, marker: Path) -> Changes:
    """Says more in the message of a commit with a right module than any commit needs."""
    return {WARMUP: right, MESSAGE: "x" * (1024 * 1024)}


def a100_endless_names(right: str, marker: Path) -> Changes:
    """Lays a file beside a right module whose name is longer than any file system takes."""
    return {WARMUP: right, "exercises/" + "x" * 5000: "x"}


def a102_commit_of_two_trees(right: str, marker: Path) -> Changes:
    """Names a second tree and other parents in a commit with a right module, behind whose it is."""
    return {WARMUP: right, HEADERS: f"tree {'1' * 40}\nparent {'1' * 40}\n"}


def a102_package_beside_the_module(right: str, marker: Path) -> Changes:
    """Lays a package of the module's name beside it, which Python would import in its place."""
    return {"exercises/m00_warmup/__init__.py": right}


def a107_other_bytes_at_checkout(right: str, marker: Path) -> Changes:
    """Has a module that is right until git checks it out: by .gitattributes its $Id$ becomes something else."""
    turned = f"{right}\n\nif len('$Id$') > 4:\n    softmax = None\n"
    return {WARMUP: turned, ".gitattributes": "*.py ident filter=evil\n"}


ALL: list[Callable[[str, Path], Changes]] = [
    thing for name, thing in sorted(globals().items()) if name[:1] == "a" and name[1:3].isdigit()
]
GRADED = (a107_grader_of_its_own, a112_commands_in_what_is_printed)  # their module is run, at the official levels alone
HONEST = (a100_thousands_of_files, a100_folders_of_folders)  # their module is right, and what lies beside it is not taken
