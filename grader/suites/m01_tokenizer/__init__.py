"""The room of m01_tokenizer."""
