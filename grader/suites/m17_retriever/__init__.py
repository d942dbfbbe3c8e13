"""The room of m17_retriever."""
