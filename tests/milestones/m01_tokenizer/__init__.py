"""What proves the suite of m01_tokenizer."""
