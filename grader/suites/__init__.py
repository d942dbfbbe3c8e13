"""The hidden suites: one room per milestone, each read like a specification."""
