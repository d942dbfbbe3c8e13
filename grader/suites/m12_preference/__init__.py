"""The room of m12_preference."""
