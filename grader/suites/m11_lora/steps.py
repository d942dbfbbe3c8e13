"""What several checks of m11_lora do."""

ALPHA, RANK = 6.5, 3  # of the small checks; 9 outputs, 7 inputs
