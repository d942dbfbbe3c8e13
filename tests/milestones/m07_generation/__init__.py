"""What proves the suite of m07_generation."""
