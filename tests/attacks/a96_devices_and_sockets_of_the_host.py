"""Opens the devices and control sockets through which containers have been left before.

levels: bubblewrap
user: not promised: what its user may open
process: not promised: your files are its files
outcomes: failed
"""

import glob
import os
import socket
import stat

import torch

SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket")
HARMLESS = {"null", "zero", "full", "random", "urandom", "tty", "ptmx"}


def search():
    for path in SOCKETS:
        with socket.socket(socket.AF_UNIX) as end:
            try:
                end.connect(path)
                print("LOOT: reached", path)
            except OSError:
                pass
    for folder, _, files in os.walk("/dev"):
        for name in files:
            path = os.path.join(folder, name)
            kind = os.lstat(path).st_mode
            if (stat.S_ISBLK(kind) or stat.S_ISCHR(kind)) and name not in HARMLESS and "/pts" not in folder:
                print("LOOT: a device", path)
    for pattern in ("/sys/*", "/boot/*", "/sys/fs/cgroup/*", "/proc/sys/*", "/proc/[0-9]*", "/var/*", "/home/*", "/etc/*"):
        for path in glob.glob(pattern):
            if path != "/etc/ld.so.cache":
                print("LOOT: can see", path)


def causal_mask(seq, device=None):
    search()
    return torch.zeros(seq, seq, dtype=torch.bool)


def scaled_dot_product_attention(query, key, value, *rest):
    return query
