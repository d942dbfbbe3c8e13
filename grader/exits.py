"""Exit codes: 0 all selected passed, 1 not all passed, 2 wrong usage, 3 the grader's fault, 130 as shells have it."""

PASSED, NOT_PASSED, USAGE, FAULT, INTERRUPTED = 0, 1, 2, 3, 130
