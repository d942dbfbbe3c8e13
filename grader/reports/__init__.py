"""One result record in; out by reader: a terminal, pages, marks for an LMS, machines. No grade is decided here."""
