"""What proves the suite of m11_lora."""
