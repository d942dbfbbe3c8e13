"""What proves the suite of m18_rag."""
