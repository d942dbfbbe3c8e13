"""Questions about the course's own guides, answered by a student's retriever, prompts and citations."""
