"""The room of m02_data."""
