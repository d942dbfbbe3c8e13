"""The student's own service of m20, run for themselves: their model, their app, and a page to try both on.

It runs where `nox -s python` runs their modules, in a Python of their own without a sandbox: nothing is graded here.
"""
