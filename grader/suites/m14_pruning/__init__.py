"""The room of m14_pruning."""
