"""The room of m07_generation."""
