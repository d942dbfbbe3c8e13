"""Checkpoints as people have them: found, looked through, and laid out as one file that a worker can read."""
