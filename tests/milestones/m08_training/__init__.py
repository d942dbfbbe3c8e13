"""What proves the suite of m08_training."""
