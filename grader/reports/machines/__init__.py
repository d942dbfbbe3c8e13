"""The record as other programs read it: JSON, JUnit, annotations, Markdown, Gradescope, GitHub Classroom."""
