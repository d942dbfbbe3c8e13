"""What several checks of m12_preference do."""

import torch


def stretches(rows, seq):
    """Return a mask of which in each row a stretch counts: its start and its length."""
    places = torch.arange(seq)
    return torch.stack([(places >= start) & (places < start + length) for start, length in rows])
