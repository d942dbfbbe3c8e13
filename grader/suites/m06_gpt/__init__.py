"""The room of m06_gpt."""
