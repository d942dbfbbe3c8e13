"""The page that follows a watch: who may read it, what it shows as a save goes through; nothing can be written."""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import sys

import pytest
import support
import systems
from driven_browser import browsing
from made_record import every_outcome
from test_class_report import BROWSER, in_a_browser

from grader import practice
from grader.cli import main
from grader.commands import watch, watch_page
from grader.reports.pages import own_run

LivePage = pytest.importorskip("grader.watching.live_page").LivePage
SOLUTION = support.source("solutions", "m04_attention")


def text(of: str = "submissions/ada") -> str:
    """Return the page of a run of this folder."""
    made = every_outcome()
    made.submission = of
    return own_run.render(made, support.COURSE, {}, live=True)


@pytest.fixture
def page():
    """A page that is served."""
    served = LivePage(text())
    yield served
    served.close()


def asked(page, path=None, method="GET", **headers):
    """Return the status of an answer and its text."""
    port = int(page.address.split(":")[2].partition("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    path = page.address.partition(str(port))[2] if path is None else path
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_whoever_has_the_address_reads(page):
    """By its address, and from itself, the page is there; it is kept nowhere."""
    assert asked(page) == (200, text())
    here = f"http://127.0.0.1:{page.port}"
    assert asked(page, Origin=here, Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:80"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_another_page_or_host_name_gets_nothing(page, headers):
    """A request from another origin, or for another host name, is answered as if there were nothing."""
    assert asked(page, **headers) == (404, "There is nothing here.\n")
    events = page.address.partition(str(page.port))[2] + "events"
    assert asked(page, events, **headers) == (404, "There is nothing here.\n")


@pytest.mark.parametrize("path", ["/", "/events", "/x/", "/x/events", "//", "/../", "/%00/"])
def test_without_the_token_there_is_nothing(page, path):
    """A missing token, another one, and one of an earlier watch lead nowhere."""
    status, said = asked(page, path)
    assert status == 404 and "ada" not in said
    other = LivePage(text())
    try:
        assert asked(other, page.address.partition(str(page.port))[2])[0] == 404
    finally:
        other.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"])
def test_there_is_nothing_to_write(page, method):
    """Whatever is not reading gets nothing."""
    assert asked(page, method=method)[0] == 404


def test_news_comes_at_once_and_whole(page):
    """Who listens is told the page as it is, what goes on, and the next page; line breaks in it do not end an event."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    connection.request("GET", page.address.partition(str(page.port))[2] + "events")
    answer = connection.getresponse()

    def heard():
        line = answer.readline()
        assert answer.readline() == b"\n"
        return json.loads(line.removeprefix(b"data: "))

    assert heard() == {"page": text(), "state": ""}
    page.say("Grading m04 …")
    assert heard()["state"] == "Grading m04 …"
    page.show(text("news"))
    assert heard() == {"page": text("news"), "state": ""}
    connection.close()


def test_its_end_is_told(page):
    """With the watch the server ends, though somebody still listens."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=60)
    connection.request("GET", page.address.partition(str(page.port))[2] + "events")
    answer = connection.getresponse()
    answer.readline()
    page.close()

    assert not page._thread.is_alive()
    answer.close()
    connection.close()


def test_without_the_packages_one_sentence_says_what_installs_them(monkeypatch, capsys):
    """Where uvicorn is not installed, `watch --page` says so and which command installs it."""
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "grader.watching.live_page", raising=False)

    assert main(["watch", "m04", "--page", "--isolation", "inline"]) == 2
    assert "`nox -s watch -- --page` installs it." in capsys.readouterr().err


def test_a_secret_seed_is_not_shown_before_the_first_result(monkeypatch, tmp_path):
    """What the page holds until something is graded says of a secret seed that it is one, and nothing else of it."""
    monkeypatch.setenv(practice.SECRET_SEED, "a seed that nobody guesses")
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path))
    words = ["m00", "--page", "--submission", str(support.REPOSITORY / "exercises"), "--isolation", "inline"]
    command = argparse.ArgumentParser()
    watch.arguments(command)
    options = command.parse_args(words)
    made = practice.Practice(options, support.COURSE, [support.COURSE.milestone("m00")], tmp_path)

    with watch_page.following(options, made) as shown:
        status, said = asked(shown)

    assert status == 200 and "seed secret" in said
    assert "nobody guesses" not in said


@in_a_browser
def test_a_browser_follows(page, tmp_path):
    """An open page takes up each verdict, keeps open what the reader has opened, and has no complaint."""
    with browsing(BROWSER, tmp_path / "profile") as tab:
        tab.open(page.address)
        assert "submissions/ada" in tab.value("document.body.innerText")
        page.say("Grading m04 …")
        tab.comes_to("document.getElementById('state').textContent === 'Grading m04 …'")
        tab.value("document.querySelectorAll('details')[1].open = true")
        page.show(text("<script>news</script>"))
        tab.comes_to("document.querySelector('header').textContent.includes('<script>news</script>')")
        assert tab.value("[...document.querySelectorAll('details')].map((one) => one.open).indexOf(true)") == 1
        assert tab.value("document.querySelectorAll('details[open]').length") == 1
        assert tab.value("document.getElementById('state').textContent") == ""
        page.close()
        tab.comes_to("document.getElementById('state').textContent.startsWith('The watch has ended')")
        assert [line for line in tab.said if "ERR_" not in line] == []  # which the end of the server is


@in_a_browser
@systems.posix
def test_a_save_reaches_the_page(tmp_path):
    """While a watch runs, a save appears on its page as on the terminal, which keeps its keys."""
    from watching import Terminal

    submission = tmp_path / "mine"
    shutil.copytree(support.REPOSITORY / "exercises", submission, ignore=shutil.ignore_patterns("__pycache__"))
    asked = ("m04", "--page", "--submission", str(submission))
    with Terminal(*asked, state=tmp_path / "state", sandbox=support.sandbox()) as terminal:
        screen = terminal.screen()
        address = re.search(r"http://127\.0\.0\.1:[0-9]+/[\w-]+/", screen).group()
        with browsing(BROWSER, tmp_path / "profile") as tab:
            tab.open(address)
            tab.comes_to("document.body.innerText.includes('not started')")
            wrong = SOLUTION.replace(".tril()", ".tril(-1)")
            (submission / "m04_attention.py").write_text(wrong, encoding="utf-8")
            tab.comes_to("document.querySelectorAll('svg.grid').length >= 3")
            assert "the diagonal is off by one" in terminal.screen()
            tab.value("document.querySelector('details').open = true")
            (submission / "m04_attention.py").write_text(SOLUTION, encoding="utf-8")
            tab.comes_to("document.querySelector('h1').textContent.startsWith('15 of 15')")
            assert "Everything that was graded passes" in terminal.screen()
            assert tab.said == []
        terminal.press("q")
        assert terminal.exit_code() == 0
