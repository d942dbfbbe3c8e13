"""The service and its page in a real browser: streamed turns, every tab, and nothing that leaves this machine.

`nox -s browser` runs this, in the environment that has Gradio. It is no test_*.py, since `nox -s tests` has none.
SCRATCHWORK_PICTURES names a folder for pictures of what was seen.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from browsers import BROWSER, NONE_HERE
from driven_browser import Tab, browsing

from grader.serving.at_home import REFUSED

ALONE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
BOX = "document.querySelector('textarea')"  # the first tab's
ANSWERS = "[...document.querySelectorAll('[data-testid=\"bot\"]')]"
# Whether a message more than so many comes to stand there, within five seconds.
SENT = """new Promise((resolve) => {
    const until = Date.now() + 5000;
    const look = () => {
        if (document.querySelectorAll('[data-testid="user"]').length > %d) resolve(true);
        else if (Date.now() > until) resolve(false);
        else setTimeout(look, 20);
    };
    look();
})"""
# Keeps every text that one of the answers has had, as the browser showed it.
WATCH = f"""(() => {{
    window.seen = [];
    new MutationObserver(() => {{
        const answer = {ANSWERS}[window.turn], text = answer ? answer.innerText.trim() : '';
        if (text && window.seen[window.seen.length - 1] !== text) window.seen.push(text);
    }}).observe(document.body, {{subtree: true, childList: true, characterData: true}});
}})()"""


class Service:
    """The solutions' service in a process of its own."""

    def __init__(self, said: Path) -> None:
        self._said = said
        command = [sys.executable, "-m", "grader", "serve", "--submission", "solutions", "--model", "gpt2-nano"]
        command += ["--port", "0", "--seed", "1"]
        with said.open("wb") as file:
            self.process = subprocess.Popen(command, cwd=support.REPOSITORY, stdout=subprocess.PIPE, stderr=file)
        assert self.process.stdout is not None
        told = b""
        for line in self.process.stdout:
            told += line
            if b"Ctrl-C" in line:
                break
        found = re.search(rb"http://127\.0\.0\.1:\d+/page/", told)
        assert found, self.errors
        self.page = found[0].decode()

    @property
    def errors(self) -> str:
        """What it has said of errors."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def end(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[Service]:
    """The service, standing."""
    made = Service(tmp_path_factory.mktemp("service") / "errors.txt")
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture(scope="module")
def page(service, tmp_path_factory) -> Iterator[Tab]:
    """The page, open in a browser; without one this is skipped, and in CI a failure."""
    if BROWSER is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(NONE_HERE)
    with browsing(BROWSER, tmp_path_factory.mktemp("profile"), ALONE) as tab:
        tab.resize(1000, 800)
        tab.open(service.page)
        tab.comes_to(f"{BOX} !== null")
        tab.value(WATCH)
        yield tab


def picture(page: Tab, name: str) -> None:
    """Keep what the browser shows, where somebody wants to see it."""
    if folder := os.environ.get("SCRATCHWORK_PICTURES"):
        page.picture(Path(folder) / f"{name}.png")


def say(page: Tab, text: str) -> list[str]:
    """Write a message; return every text that the answer has had, until it was whole."""
    before = page.value(f"{ANSWERS}.length")
    page.value(f"window.turn = {before}; window.seen = []")
    for _ in range(5):  # for a moment after an answer the box takes nothing
        page.comes_to(f"document.querySelector('.submit-button') !== null && !{BOX}.disabled")
        page.value(f"{BOX}.focus(); {BOX}.select()")
        page.write(text)
        if page.value(SENT % before):
            break
    page.comes_to(f"{ANSWERS}.length > {before} && window.seen.length > 0")
    page.comes_to(f"document.querySelector('.stop-button') === null && {BOX}.value === ''")
    return list(page.value("window.seen"))


def test_two_turns_are_streamed(page):
    """Each answer grows before the reader's eyes, and the first one stays above the second."""
    for turn, text in enumerate(("There once was a fox", "One day, a boat"), start=1):
        seen = say(page, text)
        picture(page, f"chat-{turn}")

        assert len(seen) >= 3, seen
        assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(seen)), seen
        assert page.value(f"{ANSWERS}.length") == turn


@pytest.mark.parametrize(
    ("tab", "wanted"), [("Fill a gap", r"\d+% +sad"), ("Ask", "section m17.1 Chunks"), ("Classify", r"\d+% +spam")]
)
def test_the_other_tabs_answer(page, tab, wanted):
    """A message is spam, Lily is sad, and a guide is quoted: each by what the student has written for it."""
    seen = f".find(button => button.offsetParent && button.innerText.trim() === {json.dumps(tab)})"
    page.value(f"[...document.querySelectorAll('[role=tab]')]{seen}.click()")
    page.comes_to(f"[...document.querySelectorAll('button.primary')]{seen}")
    page.value(f"[...document.querySelectorAll('button.primary')]{seen}.click()")
    page.comes_to(f"[...document.querySelectorAll('textarea')].some(area => /{wanted}/.test(area.value))")
    picture(page, tab.lower().replace(" ", "-"))


def test_nothing_leaves_this_machine(page, service):
    """The browser asked nobody but the service, the service nobody at all, and it ends in good order."""
    asked = [address for address in page.asked if not address.startswith(("data:", "blob:"))]

    assert {urllib.parse.urlsplit(address).netloc for address in asked} == {urllib.parse.urlsplit(service.page).netloc}
    assert service.end() == 0
    assert REFUSED not in service.errors and "Traceback" not in service.errors, service.errors
