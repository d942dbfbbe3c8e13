"""Trusted code that a check plants in its worker: sent as text when it is wanted, and found nowhere in the sandbox."""
