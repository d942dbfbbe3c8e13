"""The room of m15_llama."""
