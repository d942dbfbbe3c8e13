"""The part of the sandbox that runs inside it: trusted code around the student's.

Only the standard library, torch and numpy are imported here; nothing of the rest of `grader` is visible inside.
Whatever this code reports after the student's code has run is a claim, not evidence.
"""
