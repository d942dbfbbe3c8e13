"""What proves the suite of m19_library."""
