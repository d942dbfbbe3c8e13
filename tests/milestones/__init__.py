"""What proves each milestone's suite: mutants, alternates, and the numbers of its guide."""
