"""What proves the suite of m03_embedding."""
