"""The hidden suites: one file per milestone, read like a specification."""
