"""The course's modules, as a pull request may bring them: the stubs by their paths, and one that is right."""

from __future__ import annotations

import support

STUBS = {f"exercises/{name}.py": support.source("exercises", name) for name in support.MILESTONES}
RIGHT = support.source("solutions", "m00_warmup")
