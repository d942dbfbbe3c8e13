"""Many submissions: who handed in what, grading them all, and the book in which the results stand."""
