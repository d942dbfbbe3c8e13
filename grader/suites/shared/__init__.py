"""What the suites of several milestones compare with."""
