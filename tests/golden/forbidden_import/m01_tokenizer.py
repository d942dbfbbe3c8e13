import re

import tiktoken


def pretokenize(text):
    return re.findall(tiktoken.get_encoding("gpt2")._pat_str, text)
