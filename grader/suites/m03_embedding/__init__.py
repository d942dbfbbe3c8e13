"""The room of m03_embedding."""
