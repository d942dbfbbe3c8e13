"""What proves the suite of m20_serving."""
