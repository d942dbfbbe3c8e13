"""What proves the suite of m15_llama."""
