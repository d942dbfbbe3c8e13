"""What proves the suite of m06_gpt."""
