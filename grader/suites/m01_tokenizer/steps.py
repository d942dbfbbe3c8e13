"""What several checks of m01_tokenizer need: merges, a vocabulary, special tokens, and a tokenizer that is one."""

from grader.judge import expect

from .oracle import BYTES

# Merges of which every wrong order shows on "abcd" or "abce" ...
PAIRS = "b+c a+b bc+d a+a c+e aa+aa a+bcd e+_ _+_ r+e '+re l+l '+ll \n+\n"
MERGES = [(left, right) for left, right in (pair.replace("_", " ").encode().split(b"+") for pair in PAIRS.split(" "))]
MERGES.append((b"\xc3", b"\xa9"))  # é, the one merge within a character
VOCAB = BYTES | {
    300 + 7 * rank % 16: left + right for rank, (left, right) in enumerate(MERGES)
}  # ... with ids in another order
END, ENDS, PAD = "<|e|>", "<|e|><|e|>", "<|pad|>"


def make(student, *known):
    """Make the student's tokenizer; text in its place would have methods of the same names."""
    tokenizer = student.Tokenizer(*known)
    expect(not isinstance(tokenizer, str | bytes), "Tokenizer(...) gives text, expected an object.")
    return tokenizer
