"""One result record in; out by reader: terminal, pages, marks for an LMS, machines. No decision about a grade anywhere."""
