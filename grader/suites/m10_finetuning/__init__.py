"""The room of m10_finetuning."""
