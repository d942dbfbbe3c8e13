"""What proves the suite of m05_block."""
