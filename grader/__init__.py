"""Scratchwork's grader: judge, sandbox, suites and reports."""
