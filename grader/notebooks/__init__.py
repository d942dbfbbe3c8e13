"""Notebooks: what of one counts, how one is written from a stub and its guide, and what works inside one."""
