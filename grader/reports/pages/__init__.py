"""HTML pages in one file each: a record, a class, submissions that are alike."""
