"""Grading a class: jobs, judges that stay warm, and a cluster."""
