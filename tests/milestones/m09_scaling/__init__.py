"""What proves the suite of m09_scaling."""
