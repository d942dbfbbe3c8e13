"""The room of m18_rag."""
