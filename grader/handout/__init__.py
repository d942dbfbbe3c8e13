"""The students' copy of the course: what goes in, what is left out, and the proof that nothing else is inside."""
