"""The gradebook: every result that was ever graded, which of them counts, and where the class stands."""
