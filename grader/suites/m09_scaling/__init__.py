"""The room of m09_scaling."""
