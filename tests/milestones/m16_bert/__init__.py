"""What proves the suite of m16_bert."""
