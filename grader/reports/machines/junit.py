"""The record as JUnit XML, for CI systems.

A suite is a milestone, a case is a check. Nothing is ever reported as skipped: most readers count a skipped case as
good, and a task that is not started, or waits for another, is not.

There is no standard. Elements and attributes are those that both the common format (github.com/testmoapp/junitxml) and
the schema of Jenkins's xUnit plugin (junit-10.xsd, which pytest's tests have as well) allow; one that it does not know
makes Jenkins refuse the file. A class is called m04_2, since action-junit-report takes what stands behind the last
point for a file. A fault's type is its outcome and its message does not repeat it, since dorny/test-reporter prints
both; each has a text, which is all that GitLab's importer shows.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from grader.record import GRADER_ERROR, PASSED, Check, Milestone, Record, Task
from grader.reports import words
from grader.reports.findings import likely, mend_first
from grader.safe_text import clean, excerpt, one_line

_OUTPUT = 10_000
_LINES = 400
_ATTACHMENT = re.compile(r"\[\[(?=\s*ATTACHMENT)", re.IGNORECASE)


def render(record: Record, *, prefix: str = "exercises/") -> str:
    """Return the record as JUnit XML; `prefix` is what a repository has before the modules' names."""
    root = ET.Element("testsuites", name="scratchwork", time=f"{record.seconds:.3f}")
    for milestone in record.milestones:
        _add_suite(root, record, milestone, prefix)
    if not record.milestones:
        _add_fault(ET.SubElement(root, "testsuite", name="scratchwork"), "scratchwork", "Nothing was graded.")
    for suite in root:
        _count(suite)
        _add_properties(suite, record)
    for kind in ("tests", "failures", "errors"):
        root.set(kind, str(sum(int(suite.get(kind, "0")) for suite in root)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: ET.Element, record: Record, milestone: Milestone, prefix: str) -> None:
    checks = [check for task in milestone.tasks for check in task.checks]
    seconds = sum(check.seconds for check in checks)
    name = one_line(milestone.id)
    suite = ET.SubElement(root, "testsuite", name=name, file=f"{prefix}{name}.py", time=f"{seconds:.3f}")
    for task in milestone.tasks:
        for check in task.checks:
            _add_case(suite, task, check, record.milestones)
        if not task.checks and not task.withheld:
            _add_fault(suite, task.id, "This task has no checks, so it could not be graded.")
    if milestone.problem and all(check.outcome == PASSED for check in checks):
        _add_fault(suite, milestone.id, milestone.problem)
    elif not milestone.tasks:
        _add_fault(suite, milestone.id, "This milestone has no tasks, so it could not be graded.")


def _add_case(suite: ET.Element, task: Task, check: Check, milestones: list[Milestone]) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=_class(task.id), name=one_line(check.id), time=f"{check.seconds:.3f}"
    )
    if check.outcome != PASSED:
        message = check.message.strip() or words.SENTENCE[check.outcome]
        fault = ET.SubElement(case, "error" if check.outcome == GRADER_ERROR else "failure", type=check.outcome)
        fault.set("message", one_line(message.splitlines()[0]))
        fault.text = _details(milestones, task, check, message)
    if check.output.strip():
        ET.SubElement(case, "system-out").text = _inert(excerpt(check.output, _OUTPUT, _LINES))


def _details(milestones: list[Milestone], task: Task, check: Check, message: str) -> str:
    parts = [f"Checked: {clean(check.title)} ({words.OUTCOME[check.outcome]})", excerpt(message, _OUTPUT, _LINES)]
    if check.blocked_by:
        parts.append(f"Blocked by: {one_line(check.blocked_by)}")
    if check.mistake:
        parts.append(f"{likely(milestones, task)}: {one_line(check.mistake)}")
    if first := mend_first(milestones, task):
        parts.append(first)
    for frame in check.traceback[-20:]:
        parts.append(f"{one_line(frame.file)}:{frame.line}, in {one_line(frame.function)}: {one_line(frame.source)}")
    return _inert("\n".join(parts))


def _add_fault(suite: ET.Element, name: str, sentence: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=_class(name), name="graded", time="0.000")
    fault = ET.SubElement(case, "error", type=GRADER_ERROR, message=one_line(sentence))
    fault.text = _inert(one_line(sentence, 2000))


def _class(name: str) -> str:
    """Return a task's id as the name of a class: "m04.2" -> "m04_2"."""
    return one_line(name).replace(".", "_")


def _count(suite: ET.Element) -> None:
    suite.set("tests", str(len(suite.findall("testcase"))))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", str(len(suite.findall("testcase/error"))))
    suite.set("skipped", "0")


def _add_properties(suite: ET.Element, record: Record) -> None:
    """Say in each suite how it was graded: the root takes no properties, and strict readers refuse such a file."""
    facts = {
        "submission": record.submission,
        "run": words.kind(record),
        "isolation": record.isolation,
        "device": record.device,
        "seed": words.seed(record),
        "weights": words.weights(record),
        "grader": record.grader,
        "score": words.score(record.earned, record.possible),
    }
    if record.withheld:
        facts["to come"] = words.to_come(record)
    properties = ET.Element("properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=one_line(value))
    suite.insert(0, properties)


def _inert(text: str) -> str:
    """Break the markers with which CI systems are told to attach files of theirs."""
    return _ATTACHMENT.sub("[ [", text)
