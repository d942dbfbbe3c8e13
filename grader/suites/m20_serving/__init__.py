"""The room of m20_serving."""
