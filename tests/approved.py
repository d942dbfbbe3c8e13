"""Files that were approved, which a test's text is compared with; SCRATCHWORK_UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from pathlib import Path


def approved(file: Path, text: str) -> str:
    """Return what was approved, which is the text itself where it is being approved."""
    if os.environ.get("SCRATCHWORK_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")
    return file.read_bytes().decode("utf-8")
