"""m16_bert: Hugging Face's checkpoints, with names of today and of old, and what bert-nano puts into gaps."""

import pytest
import torch

from grader.judge import StudentError, achieve, expect, expect_close, expect_equal, expect_raises
from grader.suites.shared import in_place
from grader.suites.shared.attention import thousandth

from . import oracle_heads as heads
from . import oracle_loading as loading
from . import oracle_model as oracle
from . import probes
from .oracle_learning import CLS, MASK, SEP, cut, nano
from .oracle_learning import SIZES as NANO

SIZES = oracle.SIZES
REFUSED = {
    "old": "gamma and beta are refused: a LayerNorm's weight and bias may be called so",
    "positions": "a key that ends in position_ids is refused: it is to be dropped",
    "decoder": "what the decoder shares is refused where a file has it",
}
WHY = {
    "missing": "is missing",
    "too_many": "is one too many",
    "shape": "has another shape",
    "decoder": "differs from what it shares",
}
NEEDED = {"decoder": "what the decoder shares is asked for: a file may leave it out"}


def loaded(student, state, before, layout):
    """Load a checkpoint that fits into a model with weights from before; what is refused says what is missing."""
    model = student.plant(probes).fill(student.Bert(**SIZES), oracle.whole(before))
    try:
        student.load_bert(model, loading.checkpoint(state, layout))
    except StudentError as error:
        error.mistake = refusal(student, state)
        raise
    return model


def refusal(student, state):
    """Return the mistake that refuses just the layouts that are refused, if there is one."""
    refused = set()
    for layout in loading.LAYOUTS:
        try:
            student.load_bert(student.Bert(**SIZES), loading.checkpoint(state, layout))
        except StudentError:
            refused.add(layout)
    for part, mistake in REFUSED.items():
        if refused == {layout for layout in loading.LAYOUTS if part in layout}:
            return mistake
    for part, mistake in NEEDED.items():
        if refused == {layout for layout in loading.LAYOUTS if part not in layout}:
            return mistake
    return None


def expect_state(actual, expected, what, misses=None):
    """Compare all weights of a model exactly; `misses` maps mistakes to other weights."""
    for key in expected:
        found = actual.get(key)
        halved = type(found) is torch.Tensor and found.dtype == torch.float16
        expect(not halved, f"{key} is float16 {what}.", mistake=loading.DTYPE, evidence="value")
        wrong = {words: state[key] for words, state in (misses or {}).items()}
        expect_close(found, expected[key], atol=0.0, misses=wrong, what=f"the value of {key} {what}")


def swapped(state, one, other):
    """Return a state with two parts of every block exchanged."""
    names = {name: name.replace(f".{one}.", f".{other}.") for name in state if f".{one}." in name}
    return state | {name: state[of] for name, of in names.items()} | {of: state[name] for name, of in names.items()}


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Copy weights of Hugging Face's BertForPreTraining into the model, which keeps its dtype; `state` doesn't change.",
    "Its names, in our order: bert.embeddings.{word_embeddings, position_embeddings, token_type_embeddings, "
    "LayerNorm}, bert.encoder.layer.N.{attention.self.{query, key, value}, attention.output.{dense, LayerNorm}, "
    "intermediate.dense, output.{dense, LayerNorm}}, bert.pooler.dense, cls.predictions.{transform.dense, "
    "transform.LayerNorm, bias} and cls.seq_relationship.",
    "A LayerNorm's weight and bias may be called gamma and beta, as they once were; both at once are one too many.",
    "A key that ends in position_ids is dropped.",
    "cls.predictions.decoder.{weight, bias} may be left out, and stand for no other; else they equal what they share.",
)
@pytest.mark.parametrize("layout", loading.LAYOUTS)
def test_every_tensor_finds_its_place(student, draw, layout):
    """With names of today and of old, with and without what is shared, every tensor arrives."""
    state, before = (oracle.random_state(draw) for _ in range(2))
    state = {name: value.half().float() for name, value in state.items()}
    model, expected = loaded(student, state, before, layout), oracle.whole(state)
    misses = {
        loading.NOT_COPIED: oracle.whole(before),
        "queries and keys are swapped": swapped(expected, "query", "key"),
        "keys and values are swapped": swapped(expected, "key", "value"),
        "values and out are swapped": swapped(expected, "value", "out"),
        "the two norms of a block are swapped": swapped(expected, "norm_1", "norm_2"),
        "pooler and transform are swapped": expected | exchange(expected, "pooler", "transform"),
        "the two norms that are in no block are swapped": expected
        | exchange(expected, "embeddings.norm", "transform_norm"),
        "gamma is taken for the bias, and beta for the weight": expected | flipped(expected),
        "the blocks are numbered from the last one": expected | exchange(expected, "blocks.0", "blocks.1"),
        "matrices are turned round, as GPT-2's are: these lie as nn.Linear has them": expected | turned(expected),
    }
    expect_state(student.plant(probes).state(model), expected, "after loading", misses)


def exchange(state, one, other):
    """Return the weights of two parts of a model, exchanged."""
    pairs = [(name, name.replace(one, other, 1)) for name in state if name.startswith(f"{one}.")]
    return {name: state[of] for name, of in pairs} | {of: state[name] for name, of in pairs}


def flipped(state):
    """Return all norms with weight and bias exchanged."""
    norms = [name for name in state if "norm" in name and name.endswith("weight")]
    pairs = [(name, name.replace("weight", "bias")) for name in norms]
    return {name: state[of] for name, of in pairs} | {of: state[name] for name, of in pairs}


def turned(state):
    """Return all square matrices, transposed."""
    return {
        name: value.T.contiguous()
        for name, value in state.items()
        if value.ndim == 2 and value.shape[0] == value.shape[1]
    }


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
def test_a_missing_tensor_is_named(student, draw):
    """A checkpoint that lacks a tensor raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw), student.Bert(**SIZES)
    fine = loading.checkpoint(state, "plain")
    keys = (
        "bert.embeddings.token_type_embeddings.weight",
        "bert.encoder.layer.1.attention.self.value.bias",
        "bert.encoder.layer.0.output.LayerNorm.bias",
        "bert.pooler.dense.weight",
        "cls.predictions.bias",
        "cls.seq_relationship.weight",
    )
    for key in keys:
        rest = {name: value for name, value in loading.checkpoint(state, "decoder").items() if name != key}
        if key == "cls.predictions.bias":
            del rest["cls.predictions.decoder.bias"]
        loading.expect_refused(student, model, rest, key, "is missing", fine)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "cls.predictions.decoder.{weight, bias} may be left out, and stand for no other; else they equal what they share.",
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
def test_the_decoders_own_tensors_stand_for_no_other(student, draw):
    """Where what the decoder shares is missing, the decoder's own doesn't replace it: a ValueError names the key."""
    state, model = oracle.random_state(draw), student.Bert(**SIZES)
    fine = loading.checkpoint(state, "plain")
    for key in ("cls.predictions.bias", "bert.embeddings.word_embeddings.weight"):
        rest = {name: value for name, value in loading.checkpoint(state, "decoder").items() if name != key}
        loading.expect_refused(student, model, rest, key, loading.REPLACEABLE, fine)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "A LayerNorm's weight and bias may be called gamma and beta, as they once were; both at once are one too many.",
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
def test_a_norm_in_both_names_is_refused(student, draw):
    """A norm's weight that is there in today's name and in the old one raises ValueError that names the norm."""
    state, model = oracle.random_state(draw), student.Bert(**SIZES)
    fine = loading.checkpoint(state, "plain")
    for layout in ("plain", "old"):
        for part in ("bert.embeddings.LayerNorm", "bert.encoder.layer.1.output.LayerNorm"):
            given = loading.checkpoint(state, layout)
            now, once = draw.random.choice([("weight", "gamma"), ("bias", "beta")])
            both = given | {f"{part}.{kind}": draw.normal(12) for kind in (now, once)}
            loading.expect_refused(student, model, both, part, "is there in both its names", fine)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "A key that ends in position_ids is dropped.",
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
def test_a_tensor_too_many_is_named(student, draw):
    """A checkpoint with a tensor that the model lacks raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw), student.Bert(**SIZES)
    fine = loading.checkpoint(state, "plain")
    for key in ("bert.encoder.layer.2.output.dense.bias", "classifier.weight", "bert.embeddings.inv_freq"):
        broken = loading.checkpoint(state, "positions") | {key: torch.ones(12)}
        loading.expect_refused(student, model, broken, key, "is one too many", fine)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
def test_a_tensor_of_another_shape_is_named(student, draw):
    """A tensor that is cut, too long, turned round or would broadcast raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw), student.Bert(**SIZES)
    fine = loading.checkpoint(state, "plain")
    shapes = {
        "cls.predictions.transform.dense.bias": (1,),
        "bert.embeddings.position_embeddings.weight": (14, 12),
        "bert.encoder.layer.1.intermediate.dense.weight": (12, 20),
        "bert.embeddings.word_embeddings.weight": (30, 12),
    }
    for key, shape in shapes.items():
        broken = loading.checkpoint(state, "plain") | {key: draw.normal(*shape)}
        loading.expect_refused(student, model, broken, key, "has another shape", fine)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "cls.predictions.decoder.{weight, bias} may be left out, and stand for no other; else they equal what they share.",
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
def test_a_decoder_of_its_own_is_refused(student, draw):
    """A decoder.weight or .bias that differs from what it shares in one number raises ValueError with its key."""
    state, model = oracle.random_state(draw), student.Bert(**SIZES)
    fine = loading.checkpoint(state, "plain")
    for key in ("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"):
        broken = loading.checkpoint(state, "old_positions_decoder")
        broken[key][draw.random.randrange(31)] += 1e-3
        loading.expect_refused(student, model, broken, key, "differs from what it shares", fine)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, where they don't, and where a key is missing, is one too many or has "
    "another shape; the model is then as it was.",
)
@pytest.mark.parametrize("fault", WHY)
def test_a_refused_checkpoint_changes_nothing(student, draw, fault):
    """After a ValueError the model has the weights that it had before."""
    before, state = (oracle.random_state(draw) for _ in range(2))
    model = student.plant(probes).fill(student.Bert(**SIZES), oracle.whole(before))
    fine, why = loading.checkpoint(state, "plain"), WHY[fault]
    broken = loading.checkpoint(state, "plain")
    if fault == "missing":
        del broken["cls.seq_relationship.bias"]
    else:
        keys = {"too_many": "classifier.bias", "shape": "cls.seq_relationship.bias"}
        broken[keys.get(fault, "cls.predictions.decoder.bias")] = torch.ones(31 if fault == "decoder" else 3)
    expect_raises("ValueError", student.load_bert, model, broken, mistake=loading.ACCEPTED[why], fine=(model, fine))
    misses = {loading.HALF_LOADED: oracle.whole(state)}
    expect_state(student.plant(probes).state(model), oracle.whole(before), "after a refused checkpoint", misses)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Copy weights of Hugging Face's BertForPreTraining into the model, which keeps its dtype; `state` doesn't change.",
)
def test_loading_keeps_the_parameters(student, draw):
    """load_bert copies into the parameters that are there, so that words and decoder stay one tensor."""
    state, model, planted = oracle.random_state(draw), student.Bert(**SIZES), student.plant(probes)
    found = student.plant(in_place).replaced(student.load_bert, model, loading.checkpoint(state, "decoder"))
    expect(found == [], f"Replaced by other parameters: {', '.join(map(str, found))}.", mistake=loading.REPLACED)
    frozen = planted.frozen(model)
    said = f"After loading these have no gradient: {', '.join(map(str, frozen))}."
    expect(frozen == [], said, mistake=loading.FROZEN)
    words = draw.normal(31, 12)
    planted.overwrite(model, "embeddings.words.weight", words)
    expected = oracle.whole(state | {"embeddings.words.weight": words})
    misses = {
        "words and decoder are two tensors after loading": oracle.whole(state) | {"embeddings.words.weight": words}
    }
    expect_state(planted.state(model), expected, "after loading, and a change of the words", misses)


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Copy weights of Hugging Face's BertForPreTraining into the model, which keeps its dtype; `state` doesn't change.",
)
@pytest.mark.parametrize("layout", ["plain", "old_positions_decoder"])
def test_the_checkpoint_keeps_its_values(student, draw, layout):
    """The dict that was loaded has its keys and values afterwards, whatever then happens to the model."""
    given = loading.checkpoint(oracle.random_state(draw), layout)
    after = student.plant(in_place).zeroed_afterwards(student.load_bert, student.Bert(**SIZES), given)
    left = {"keys are taken out of the checkpoint handed in": sorted(key for key in given if ".decoder." not in key)}
    expect_equal(sorted(after), sorted(given), misses=left, what="the list of the checkpoint's keys after loading")
    for key, value in given.items():
        misses = {loading.ALIASED: torch.zeros_like(value)} if value.is_floating_point() else {}
        what = f"the checkpoint's {key} after loading"
        if value.is_floating_point():
            expect_close(after[key], value, atol=0.0, misses=misses, what=what)
        else:
            expect_equal(after[key], value, what=what)


SENTENCE = "the wind came , and the hat flew up to the top of the roof ."


@pytest.mark.task("m16.6")
@pytest.mark.holds(
    "Copy weights of Hugging Face's BertForPreTraining into the model, which keeps its dtype; `state` doesn't change.",
    "Its names, in our order: bert.embeddings.{word_embeddings, position_embeddings, token_type_embeddings, "
    "LayerNorm}, bert.encoder.layer.N.{attention.self.{query, key, value}, attention.output.{dense, LayerNorm}, "
    "intermediate.dense, output.{dense, LayerNorm}}, bert.pooler.dense, cls.predictions.{transform.dense, "
    "transform.LayerNorm, bias} and cls.seq_relationship.",
)
def test_bert_nano_fills_gaps(student, draw, data):
    """bert-nano's own file, loaded by load_bert, fills a gap in a story as it does elsewhere, and rightly."""
    vocab, tensors, state = nano(data)
    model = student.Bert(**NANO)
    student.load_bert(model, tensors)
    model.eval()
    ids = cut(SENTENCE, vocab)
    place = draw.random.choice([1, 6, 11, 14])
    given = torch.tensor([[CLS, *ids[:place], MASK, *ids[place + 1 :], SEP]])
    found = model.scores(*model(given))[0]
    expected = heads.token_scores(oracle.read(state, NANO, given), state).float()
    expect_close(found, expected, atol=thousandth(expected), what="the tokens' scores")
    names = list(vocab)
    chances = found[0, place + 1].softmax(dim=0)
    gap = " ".join([*SENTENCE.split()[:place], "[MASK]", *SENTENCE.split()[place + 1 :]])
    best = names[int(chances.argmax())]
    achieve(f'Your BERT reads "{gap}" and puts "{best}" into the gap, {float(chances.max()):.0%} sure.')
