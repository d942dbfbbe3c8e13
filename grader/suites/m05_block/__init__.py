"""The room of m05_block."""
