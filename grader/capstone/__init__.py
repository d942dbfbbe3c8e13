"""The capstone: a submission's own parts strung together, from raw text to a trained model that writes a story."""
