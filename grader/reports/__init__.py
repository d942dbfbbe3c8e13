"""One result record in; terminal, JSON, JUnit and Markdown out, and no decision about a grade anywhere."""
