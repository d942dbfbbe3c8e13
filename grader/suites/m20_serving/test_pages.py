"""m20_serving: the container that brings it to the world."""

import pytest

from grader.judge import expect_equal

from . import oracle_docker as docker


@pytest.mark.task("m20.8")
@pytest.mark.holds(
    "Return the text of a Dockerfile that serves `app`, as uvicorn names it, to the world outside, at `port`.",
    "It begins from a slim image of Python, whose version it names.",
    "requirements.txt is copied and installed before the sources are copied, so that a change to them installs "
    "nothing.",
    "The port is exposed.",
    "A user who is not root runs uvicorn, by a CMD in exec form: so the signal to stop reaches it.",
)
@pytest.mark.parametrize("part", docker.WANTED)
def test_a_dockerfile_says_what_it_must(student, draw, part):
    """Base, order, user, command, host, port and app of the Dockerfile are what they must be."""
    app, port = draw.random.choice(["src.main:api", "chat:server"]), draw.random.randrange(1024, 65536)
    plain, text = student.dockerfile(), student.dockerfile(app=app, port=port)
    expect_equal([type(plain), type(text)], [str, str], what="the types of the texts")

    found = [docker.read(plain, "service:app", 8000)[part], docker.read(text, app, port)[part]]

    wanted = docker.WANTED[part]
    misses: dict[str, list[object]] = {}
    for value, words in docker.MISTAKES[part].items():
        misses.setdefault(words, [value, value])
    if part in ("port", "exposed", "app"):
        misses = {docker.FIXED[part]: [True, False], **misses}
    expect_equal(found, [wanted, wanted], what=docker.WHAT[part], misses=misses)
