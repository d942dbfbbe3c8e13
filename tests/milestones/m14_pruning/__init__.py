"""What proves the suite of m14_pruning."""
