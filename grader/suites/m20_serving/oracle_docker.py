"""What a Dockerfile says, instruction by instruction, as Docker reads it."""

import functools
import json
import re

SOURCES_FIRST = "the sources are copied before the requirements are installed"
VARIABLE = re.compile(r"\$(?:\{(\w+)(?::-([^}]*))?\}|(\w+))")
THERE = re.compile(
    "nobody|www-data|daemon|bin|sys|games|man|lp|mail|news|uucp|proxy|backup|list|irc|_apt|operator|guest"
)
SHELLS = ("sh", "bash", "ash", "dash")
WANTED = {
    "base": "slim", "requirements": "copied, installed, then the sources", "user": "not root", "command": "exec form",
    "host": "0.0.0.0", "port": True, "exposed": True, "app": True,
}  # fmt: skip


def instructions(text):
    """Return (NAME, rest) of each instruction: comments and lines that go on are put right."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    found = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        name, _, rest = line.partition(" ")
        found.append((name.upper(), rest.strip()))
    return found


def resolved(found):
    """Return instructions in which ARG's and ENV's variables stand for what they are: not so in a command's list."""
    known: dict[str, str] = {}
    put_right = []
    for name, rest in found:
        if name not in ("CMD", "ENTRYPOINT"):
            rest = VARIABLE.sub(functools.partial(_value, known), rest)
        if name in ("ARG", "ENV"):
            pairs = re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", rest) or [tuple(rest.split(maxsplit=1))]
            known |= {key: value.strip("\"'") for key, value in filter(lambda pair: len(pair) == 2, pairs)}
        put_right.append((name, rest))
    return put_right


def _value(known, match):
    return known.get(match[1] or match[3], match[2] or match[0])


def last_stage(found):
    """Return the instructions of the last stage, its FROM first."""
    starts = [place for place, (name, _) in enumerate(found) if name == "FROM"]
    return found[starts[-1] :] if starts else []


def read(text, app, port):
    """Return what a Dockerfile comes to, in the words of WANTED."""
    found = resolved(instructions(text))
    stage = last_stage(found)
    command = next((rest for name, rest in reversed(stage) if name == "CMD"), None)
    entry = next((rest for name, rest in reversed(stage) if name == "ENTRYPOINT"), None)
    words = [*(_words(entry) or []), *(_words(command) or [])]
    user = next((rest for name, rest in reversed(stage) if name == "USER"), "root")
    return {
        "base": _base(stage[0][1] if stage else ""),
        "requirements": _order(stage),
        "user": _user(re.split(r"[:\s]", user)[0], found),
        "command": _command([rest for rest in (entry, command) if rest is not None]),
        "host": _option(words, "--host"),
        "port": _option(words, "--port") == str(port),
        "exposed": any(name == "EXPOSE" and str(port) in re.split(r"[\s/]", rest) for name, rest in stage),
        "app": app in words,
    }


def _user(user, found):
    """Return who runs the service: root, nobody that there is, or another, made in a RUN or by a file of users."""
    if user in ("root", "0", ""):
        return "root"
    made = user.isdecimal() or THERE.fullmatch(user) is not None  # by a number, or of the base image
    for name, rest in found:
        made = made or (name == "RUN" and re.search(rf"(?<!\w){re.escape(user)}(?!\w)", rest) is not None)
        made = made or (name in ("RUN", "COPY", "ADD") and "passwd" in rest)
    return "not root" if made else "never made"


def _command(rests):
    """Return how the service is started, by these instructions together: as a list that runs uvicorn, or otherwise."""
    found = [_words(rest) for rest in rests]
    if not found or None in found:
        return "shell form" if found else "none"
    programs = [word.rpartition("/")[2] for words in found for word in words]
    if programs[0] in SHELLS:
        return "a shell"
    return "exec form" if "uvicorn" in programs else "another program"


def _words(rest):
    """Return the words of an instruction in exec form, or None."""
    try:
        found = json.loads(rest or "")
    except ValueError:
        return None
    return found if type(found) is list and found and all(type(word) is str for word in found) else None


def _option(words, name):
    for place, word in enumerate(words):
        if word == name:
            return words[place + 1] if place + 1 < len(words) else ""
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return "not given"


def _base(rest):
    image = next((word for word in rest.split() if not word.startswith("--")), "")
    name, _, tag = image.rpartition(":")
    if name.rpartition("/")[2] != "python":
        return "not python's" if image.rpartition("/")[2] != "python" else "no version"
    if not re.search(r"\d+\.\d+", tag):
        return "no version"
    return "slim" if re.search(r"\bslim\b|\balpine\b", tag) else "the large image"


def _order(stage):
    """Return whether requirements.txt is copied alone and installed before anything else is copied."""
    copied = installed = False
    for name, rest in stage:
        if name in ("COPY", "ADD"):
            words = _words(rest) or [word for word in rest.split() if not word.startswith("--")]
            if all(re.search(r"requirements[\w.-]*$", word) for word in words[:-1]):
                copied = True
            elif not installed:
                return SOURCES_FIRST
            else:
                return "copied, installed, then the sources"
        elif name == "RUN" and "requirements" in rest and re.search(r"\b(pip3?|uv)\b", rest):
            if not copied and "--mount" not in rest:
                return "requirements.txt is installed before it is there"
            installed = True
    return "no sources are copied" if installed else "requirements.txt is not installed"


MISTAKES: dict[str, dict[object, str]] = {
    "base": {
        "the large image": "the image is the large one",
        "no version": "the image names no version of Python",
        "not python's": "the image is none of Python's",
    },
    "requirements": {
        SOURCES_FIRST: "the sources are copied before the requirements, so every change installs everything anew",
        "requirements.txt is not installed": "requirements.txt is not installed",
        "requirements.txt is installed before it is there": "requirements.txt is installed before it is copied",
        "no sources are copied": "the sources are not copied",
    },
    "user": {"root": "the service runs as root", "never made": "nothing makes the user who runs the service"},
    "command": {
        "shell form": "CMD is in shell form, so the signal to stop reaches a shell and not uvicorn",
        "none": "there is no CMD",
        "a shell": "CMD starts a shell, which the signal to stop reaches, and not uvicorn",
        "another program": "CMD does not run uvicorn",
    },
    "host": {
        "127.0.0.1": "the service listens inside the container alone (127.0.0.1)",
        "localhost": "the service listens inside the container alone (127.0.0.1)",
        "not given": "uvicorn is not told where to listen, and takes 127.0.0.1",
    },
    "port": {False: "uvicorn is not told the port"},
    "exposed": {False: "the port is not exposed"},
    "app": {False: "uvicorn is not told which app to serve"},
}
FIXED = {
    "port": "the port is fixed, whatever is asked for",
    "exposed": "the port that is exposed is fixed, whatever is asked for",
    "app": "the app is fixed, whatever is asked for",
}
WHAT = {
    "base": "the base of both images",
    "requirements": "the order of both",
    "user": "the user of both",
    "command": "the command of both",
    "host": "the host of both",
    "port": "whether each is told its port",
    "exposed": "whether each exposes its port",
    "app": "whether each is told its app",
}
