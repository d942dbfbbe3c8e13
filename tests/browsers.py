"""Which browser the tests have, if any."""

from __future__ import annotations

import shutil

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for name in NAMES if (path := shutil.which(name))), None)
NONE_HERE = "no Chromium here: apt-get install chromium-headless-shell"
