"""What proves the suite of m17_retriever."""
