"""What proves the suite of m13_quantization."""
