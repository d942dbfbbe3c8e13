"""What stays loaded between two runs of `grade`, so that the second need not import torch and boot a sandbox again."""
