"""`python -m grader watch`: what a save touched is graded again, with everything heavy kept warm."""
