"""HTML pages in one file: no network, everything escaped, and no script but the one that follows a watch.

Templates escape by themselves (Jinja2), and whatever they print is cleaned first, so that no name can turn the reading
order round. The page's policy forbids everything but its own style sheet, which is named by its hash: should an escape
ever be forgotten, the browser still runs and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from grader.reports import findings, words
from grader.safe_text import clean, excerpt

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, *, live: bool = False, **context: Any) -> str:
    """Return the page of a template; a name that the template uses and nobody gave is an error.

    A `live` one follows what its server tells it: by one script, which its policy names by its hash as well.
    """
    style, policy = _part("style.css")
    script = Markup("")
    policy = f"default-src 'none'; style-src {policy}; base-uri 'none'; form-action 'none'"
    if live:
        script, digest = _part("live.js")
        policy += f"; script-src {digest}; connect-src 'self'"
    return _environment().get_template(template).render(style=style, script=script, policy=policy, **context) + "\n"


def _part(name: str) -> tuple[Markup, str]:
    """Return what stands in a page as it is, and its hash in a policy's words."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return Markup(text), f"'sha256-{digest}'"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number,
        "percent": percent,
        "short": words.short,
        "finding": words.finding,
        "outcome": words.outcome,
        "unchanged": words.unchanged,
        "excerpt": excerpt,
        "message": lambda check: excerpt(check.message.strip() or words.SENTENCE[check.outcome], 2000, 24),
        "passed_checks": findings.passed_checks,
        "telling_check": findings.telling_check,
    }
    environment.globals |= {"mend_first": findings.mend_first, "likely": findings.likely}
    environment.tests["worth_explaining"] = findings.worth_explaining
    return environment


def _shown(value: Any) -> Any:
    """Clean plain text before it is escaped; markup of our own and numbers stay."""
    return clean(value) if type(value) is str else value


def percent(share: float) -> str:
    """Return a share as a whole per cent: 1 % for what is more than nothing, 99 % for what is less than all."""
    whole = round(100 * share)
    if 0 < share < 1:
        whole = min(99, max(1, whole))
    return f"{whole} %"
