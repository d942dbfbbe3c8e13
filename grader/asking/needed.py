"""What asking is made of: a student's retriever, prompts and citations, and the loop that lets a model write."""

from __future__ import annotations

# Milestone -> the numbers of the tasks that are called.
NEEDED: dict[str, tuple[int, ...]] = {
    "m04_attention": (),  # m07 imports it
    "m07_generation": (1, 2, 3),
    "m17_retriever": (1, 2, 3, 5),
    "m18_rag": (1, 2, 3),
}
LAST = "m18_rag"
PASSAGES, SIZE = 3, 600  # that are found for a question, and characters of each, where nobody says otherwise


def overlap(size: int) -> int:
    """Return how many characters of a chunk the next one has, too."""
    return size // 5
