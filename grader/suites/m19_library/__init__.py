"""The room of m19_library."""
