"""What proves the suite of m12_preference."""
