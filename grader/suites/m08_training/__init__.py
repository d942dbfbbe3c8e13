"""The room of m08_training."""
