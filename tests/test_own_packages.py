"""What a milestone may import beyond the course's packages is there for it alone, and named where it is missing."""

from __future__ import annotations

import dataclasses

import pytest
import support
from opened import LEVELS, LIMITS

from grader import record
from grader.judge.supply import load_request, workers_for
from grader.sandbox import bubblewrap, packages
from grader.sandbox.errors import PackagesLacking, SandboxError
from grader.sandbox.packages import NOTHING, Own
from grader.submission import Submission

COURSE = support.COURSE
SERVING, ATTENTION = COURSE.milestone("m20"), COURSE.milestone("m04")
OWN = COURSE.own_packages(SERVING)
LOOKING = b"""
def there(name):
    try:
        return len(dir(__import__(name))) > 0
    except ImportError:
        return False


def warm(name):
    import sys

    return name in sys.modules
"""


def test_own_packages_are_mounted_for_their_milestone_alone():
    """The packages and what they are made of are seen by workers of this milestone, and by no others."""
    common, all_of_them = packages.allowed_packages(), packages.allowed_packages(OWN)

    assert COURSE.own_packages(ATTENTION) == NOTHING
    assert {"fastapi", "starlette", "uvicorn", "pydantic", "anyio", "h11"} <= all_of_them.keys() - common.keys()
    assert common.items() <= all_of_them.items()
    for own, wanted in ((NOTHING, False), (OWN, True)):
        words = bubblewrap.command(["true"], as_root=False, own=own)
        assert any(word.endswith("/fastapi") for word in words) == wanted


@pytest.mark.skipif(not LEVELS, reason="no level with processes works here")
@pytest.mark.parametrize("level", LEVELS)
def test_a_worker_has_its_own_milestones_packages(level):
    """In m20's workers they can be imported, and are already; in m04's, which run beside them, they can't."""
    common = support.sandbox(level)
    for milestone, wanted in ((ATTENTION, False), (SERVING, True), (ATTENTION, False)):
        worker = workers_for(milestone, COURSE, common).worker(dataclasses.replace(LIMITS, seconds=30))
        worker.set_deadline(30)
        try:
            request = load_request(milestone, COURSE, Submission("", {milestone.id: LOOKING}))
            worker.conversation.request("load", **{**request, "trace": [], "names": []})
            there, warm = (worker.conversation.get(None, name) for name in ("there", "warm"))
            assert [there(name) for name in ("fastapi", "uvicorn")] == [wanted] * 2
            assert warm("fastapi.responses") == wanted
        finally:
            worker.end()


def test_one_server_serves_all_that_need_the_same():
    """Asked twice, the same server is meant; without packages of its own a milestone has the common one."""
    common = support.sandbox()

    assert workers_for(ATTENTION, COURSE, common) is common
    assert workers_for(SERVING, COURSE, common) is workers_for(SERVING, COURSE, common) is not common


def test_further_judges_share_the_servers(monkeypatch):
    """A judge that joins gets workers from the server that runs, which it need not boot."""
    common = support.sandbox()
    if not getattr(common, "side_by_side", False):
        pytest.skip("no judge may have others beside it at this level")
    own = workers_for(SERVING, COURSE, common)
    own.boot()
    another = common.for_another_judge()
    try:
        joined = another.having(OWN)
        assert joined is not own and joined._process is None
        worker = joined.worker(dataclasses.replace(LIMITS, seconds=30))
        worker.end()
        assert joined._process is None and own._process is not None
    finally:
        another.hang_up()


@pytest.fixture
def without_uvicorn(monkeypatch):
    """An environment that lacks one of m20's packages."""
    monkeypatch.setattr(packages, "_is_installed", lambda name: name != "uvicorn")
    packages.allowed_packages.cache_clear()
    yield
    packages.allowed_packages.cache_clear()


SAID = "m20_serving needs uvicorn, and this Python lacks it; nox -s grade -- m20 installs it"


def test_what_is_missing_is_said_in_one_sentence(without_uvicorn):
    """Without the packages nothing of m20 is run: each check says what is missing and what installs it."""
    with pytest.raises(PackagesLacking, match=SAID):
        workers_for(SERVING, COURSE, support.sandbox("inline"))
    with pytest.raises(SandboxError, match="lacks uvicorn"):
        packages.allowed_packages(OWN)

    found = support.checks(support.grade_one("m20_serving", support.source("solutions", "m20_serving"), level="inline"))

    assert {check.outcome for check in found} == {record.GRADER_ERROR}
    assert {check.message for check in found} == {f"{SAID}."}


def test_a_stub_needs_no_packages(without_uvicorn):
    """What nobody has begun is not started, whatever is installed."""
    found = support.checks(support.grade_one("m20_serving", support.source("exercises", "m20_serving"), level="inline"))

    assert {check.outcome for check in found} == {record.NOT_STARTED}


def test_a_room_of_a_courses_own_is_told_of_pip():
    """A milestone that a course brings says how its packages are installed by hand."""
    own = dataclasses.replace(SERVING, id="x01_mine", own=True, imports=("no_such_package",), warm=())
    course = dataclasses.replace(COURSE, milestones=(*COURSE.milestones, own))

    with pytest.raises(PackagesLacking, match="python -m pip install no_such_package installs it"):
        workers_for(own, course, support.sandbox("inline"))


@pytest.mark.parametrize(
    ("milestone", "package", "allowed"),
    [
        ("m04_attention", "fastapi", "jaxtyping, the standard"),
        ("m20_serving", "gradio", "anyio, uvicorn, the standard"),
    ],
)
def test_the_import_check_knows_the_room(milestone, package, allowed):
    """An import that isn't allowed is named beside what is allowed in this milestone."""
    text = f"import {package}\n" + support.source("solutions", milestone)
    result = support.grade_one(
        milestone, text, level="inline", only={"test_health_is_ok", "test_true_in_the_mask_means_may_look"}
    )

    (found,) = result.milestones
    assert f"{milestone}.py, line 1: {package} may not be imported (allowed: torch" in found.problem
    assert allowed in found.problem


def test_a_package_of_another_milestone_is_refused_where_no_level_hides_it():
    """What m20 alone may import is on the list of what m04's code cannot get, and on m20's own it isn't."""
    blocked = load_request(ATTENTION, COURSE, Submission("", {}))["blocked"]

    assert set(SERVING.imports) <= set(blocked)
    assert not set(SERVING.imports) & set(load_request(SERVING, COURSE, Submission("", {}))["blocked"])


def test_what_a_milestone_is_made_of_brings_its_packages():
    """A milestone that needs or uses one with packages of its own has these as well, each once."""
    made_of = dataclasses.replace(SERVING, id="m21_made", needs=("m20_serving",), imports=("fastapi", "rich"), warm=())
    course = dataclasses.replace(COURSE, milestones=(*COURSE.milestones, made_of))

    found = course.own_packages(made_of)

    assert found.names == (*SERVING.imports, "rich")
    assert found.warm == SERVING.warm
    assert Own(("no_such_package", "torch")).lacking() == ["no_such_package"]
