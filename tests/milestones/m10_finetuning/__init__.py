"""What proves the suite of m10_finetuning."""
