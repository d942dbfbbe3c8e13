"""The room of m11_lora."""
