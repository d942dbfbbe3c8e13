"""What proves the suite of m04_attention."""
