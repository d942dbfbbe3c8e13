"""What proves the suite of m00_warmup."""
