"""Solution and reference of m16_bert agree with transformers and tokenizers, and what is said of these is so."""

from __future__ import annotations

import random

import pytest
import tokenizers
import torch
from safetensors.torch import load_file
from tokenizers import models, normalizers, pre_tokenizers

import fixtures
from grader.judge.oracles import Data
from grader.suites.m16_bert import oracle, oracle_heads, oracle_model
from grader.suites.m16_bert.oracle_learning import SIZES, nano
from grader.suites.m16_bert.oracle_loading import from_file
from solutions.m16_bert import Bert, load_bert, pretraining_loss, split_words, wordpiece

from .test_guide import WORDS

THEIRS = {
    "vocab_size": "vocab_size",
    "context_length": "max_position_embeddings",
    "d_model": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "d_ff": "intermediate_size",
}
THREE = {
    "small": {"vocab_size": 40, "context_length": 12, "d_model": 16, "n_layers": 1, "n_heads": 2, "d_ff": 24},
    "middle": {"vocab_size": 97, "context_length": 20, "d_model": 36, "n_layers": 3, "n_heads": 6, "d_ff": 50},
    "wide": {"vocab_size": 64, "context_length": 32, "d_model": 64, "n_layers": 2, "n_heads": 4, "d_ff": 256},
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a function that saves a random BertForPreTraining, and returns it with its folder."""
    from transformers import BertConfig, BertForPreTraining

    def save(sizes):
        torch.manual_seed(sizes["d_model"])
        config = BertConfig(**{THEIRS[name]: value for name, value in sizes.items()}, initializer_range=0.3)
        model = BertForPreTraining(config).eval()
        for name, value in model.named_parameters():
            if value.ndim == 1:
                torch.nn.init.uniform_(value, *((0.5, 1.5) if name.endswith("LayerNorm.weight") else (-0.5, 0.5)))
        folder = tmp_path_factory.mktemp("bert")
        model.save_pretrained(folder)
        return model, folder

    return save


@pytest.mark.parametrize("name", THREE)
def test_a_random_bert_that_transformers_saved_loads_and_agrees(saved, name):
    """Vectors, both heads' scores and the loss are transformers', with types and padding; so are the reference's."""
    sizes = THREE[name]
    theirs, folder = saved(sizes)
    ours, tensors = Bert(**sizes).eval(), load_file(folder / "model.safetensors")
    load_bert(ours, tensors)
    ids = torch.randint(sizes["vocab_size"], (4, 9))
    types = (torch.arange(9) >= torch.randint(1, 9, (4, 1))).long()
    mask = torch.arange(9) < torch.tensor([[9], [5], [8], [2]])
    labels, follows = torch.where(torch.rand(4, 9) < 0.4, ids, -100), torch.tensor([0, 1, 1, 0])
    given = {"token_type_ids": types, "attention_mask": mask.long()}

    with torch.no_grad():
        right = theirs(ids, **given, labels=labels, next_sentence_label=follows, output_hidden_states=True)
        hidden, pooled = ours(ids, types, mask)
        tokens, pairs = ours.scores(hidden, pooled)
    state = from_file(tensors)
    read = oracle_model.read(state, sizes, ids, types, mask)

    assert len(tensors) == len(ours.state_dict()) - 1
    for actual, expected in (
        (hidden, right.hidden_states[-1]),
        (tokens, right.prediction_logits),
        (pairs, right.seq_relationship_logits),
        (pretraining_loss((tokens, pairs), labels, follows), right.loss),
        (read.float(), right.hidden_states[-1]),
        (oracle_heads.token_scores(read, state).float(), right.prediction_logits),
    ):
        assert torch.allclose(actual, expected, atol=5e-5, rtol=1e-4)


def test_one_label_alone_has_no_loss_in_transformers(saved):
    """What the guide says: labels alone, or next_sentence_label alone, give None; and pad_token_id masks nothing."""
    theirs, _ = saved(THREE["small"])
    ids = torch.tensor([[5, 6, 7, 0, 0]])

    assert theirs(ids, labels=ids).loss is None and theirs(ids, next_sentence_label=torch.tensor([0])).loss is None
    whole, short = theirs(ids).prediction_logits, theirs(ids[:, :3]).prediction_logits
    assert not torch.allclose(whole[:, :3], short, atol=1e-2)
    assert "answers with no loss at all (5.23)" in WORDS and "masks nothing by itself either" in WORDS


@pytest.fixture(scope="module")
def cutter():
    """Return tokenizers' own uncased WordPiece, with bert-nano's pieces."""
    vocab, _, _ = nano(Data())
    made = tokenizers.Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    return made


def test_words_and_pieces_are_those_of_tokenizers(cutter):
    """On texts of every fixture, and on letters drawn, solution and reference cut as tokenizers does."""
    vocab, _, _ = nano(Data())
    texts = [line for line in fixtures.STORIES_HELDOUT.read_text(encoding="utf-8").splitlines() if "<|" not in line][
        :20
    ]
    texts += fixtures.MESSAGES_HELDOUT.read_text(encoding="utf-8").splitlines()[:20]
    texts += ["Où est-il? Zürich, A_b $5 <b> \u201cno\u201d\u2026 5 € ½ ﬁ e\u0301 tab\tnew\nline"]
    chance = random.Random(5)
    texts += [" ".join("".join(chance.choices("abdefhinorst", k=chance.randrange(1, 9))) for _ in range(40))]

    for text in texts:
        expected = cutter.encode(text).tokens
        assert [piece for word in split_words(text) for piece in wordpiece(word, vocab)] == expected
        assert [piece for word in oracle.words(text) for piece in oracle.pieces(word, vocab)] == expected
    long = "a" * 100
    assert cutter.encode(long + "a").tokens == ["[UNK]"] == wordpiece(long + "a", vocab)
    assert cutter.encode(long).tokens == wordpiece(long, vocab) != ["[UNK]"]


def test_pairs_are_those_of_transformers(cutter):
    """[CLS], [SEP] and the types of a pair, and of one text alone, are transformers'."""
    from transformers import BertTokenizer

    vocab, _, _ = nano(Data())
    theirs = BertTokenizer(vocab=vocab)
    for first, second in (("the hat", "it flew up"), ("the hat", None)):
        found = theirs(first, second)
        a, b = (None if text is None else cutter.encode(text).ids for text in (first, second))
        assert (found["input_ids"], found["token_type_ids"]) == oracle.pair(a, b, vocab["[CLS]"], vocab["[SEP]"])


def test_a_tokenizer_from_a_file_knows_five_tokens():
    """What the guide says of BertTokenizer: with vocab_file= it has the special tokens alone, and says nothing."""
    from transformers import BertTokenizer

    assert len(BertTokenizer(vocab_file=str(fixtures.BERT_NANO / "vocab.txt"))) == 5
    assert "there the argument is called `vocab`" in WORDS


@pytest.mark.filterwarnings("ignore:Random token replacement is not supported with whole word masking")
def test_whole_words_are_always_masked_by_transformers():
    """What the guide says of the collator: with whole_word_mask=True it neither keeps nor replaces what it chose."""
    from transformers import BertTokenizer, DataCollatorForLanguageModeling

    vocab, _, _ = nano(Data())
    tokenizer = BertTokenizer(vocab=vocab)
    row = tokenizer("hedgehogs unwrapped the cake, and the hat flew up", return_offsets_mapping=True)

    hidden = {}
    for whole in (False, True):
        collate = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.5, whole_word_mask=whole, seed=1)
        given = collate([{**row} if whole else {"input_ids": row["input_ids"]} for _ in range(50)])
        hidden[whole] = float((given["input_ids"] == vocab["[MASK]"])[given["labels"] != -100].double().mean())

    assert 0.7 < hidden[False] < 0.9 and hidden[True] == 1
    assert "with `whole_word_mask=True` it leaves no token as it is and replaces none by another (5.23)" in WORDS


def test_bert_nano_is_what_the_reference_thinks():
    """The sizes that the suite gives bert-nano are its config's, and transformers scores as the reference does."""
    from fixtures.bert import CONFIG, load

    _, tensors, state = nano(Data())
    ids = torch.randint(5, 2000, (2, 11), generator=torch.Generator().manual_seed(0))

    assert {THEIRS[name]: value for name, value in SIZES.items()}.items() <= CONFIG.items()
    expected = oracle_heads.token_scores(oracle_model.read(state, SIZES, ids), state).float()
    with torch.no_grad():
        assert torch.allclose(load()(ids).prediction_logits, expected, atol=1e-3)
    assert all(value.dtype == torch.float16 for value in tensors.values())
