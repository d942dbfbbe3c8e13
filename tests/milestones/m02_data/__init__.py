"""What proves the suite of m02_data."""
