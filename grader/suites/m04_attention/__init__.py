"""The room of m04_attention."""
