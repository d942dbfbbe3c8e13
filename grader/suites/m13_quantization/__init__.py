"""The room of m13_quantization."""
