"""Ends the process with os._exit(0) while it is imported, before any check begins.

outcomes: crashed
"""

import os

os._exit(0)
