"""The room of m00_warmup."""
