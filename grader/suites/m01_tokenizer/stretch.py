"""m01_tokenizer's stretch goal: to encode more in a second."""

from grader.judge import expect_equal
from grader.suites.shared.stretching import per_second

SIZE = 200_000  # characters


def measure(student, draw, data, weights):
    """Return how many kilobytes of stories, made ids of GPT-2's, a second of processor time takes."""
    stories = data.text("stories_train.txt").split("<|endoftext|>")
    text = "".join(stories[place] for place in draw.permutation(len(stories)).tolist())[:SIZE]
    merges, encoder = student.file("vocab.bpe", data.gpt2_merges), student.file("encoder.json", data.gpt2_encoder)
    tokenizer = student.load_gpt2(merges, encoder)
    # Each time another text, so that what was kept of the last one's words helps, and what was kept of a text does not.
    texts = {1: text[: SIZE // 10]}

    def work(count):
        texts[count] = text[: SIZE // 10] + text[SIZE // 10 :] * count
        return tokenizer.encode(texts[count], allow_special=False)

    found, ids = per_second(student, work, len(text[SIZE // 10 :].encode()) / 1000, most=32)
    expect_equal(ids, data.tiktoken().encode_ordinary(texts[max(texts)]), what="the ids")
    return found
