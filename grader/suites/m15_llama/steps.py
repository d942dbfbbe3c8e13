"""What several checks of m15_llama do."""

import torch

from grader.judge import expect, expect_close, expect_equal, expect_unchanged, sentence
from grader.suites.shared import in_place

from . import oracle, oracle_files, oracle_model
from . import probes as m15_probes

SIZES, KIN = oracle_model.SIZES, oracle_model.KIN


def loaded(student, module, state):
    """Give a module of the student's these weights."""
    module.load_state_dict(state)
    return module


def student_model(student, sizes, state):
    """Make the student's model of these sizes, in eval mode and with these weights."""
    return student.plant(m15_probes).fill(student.Llama(student.LlamaConfig(**sizes)), state)


def empty_model(student, sizes=SIZES):
    """Make a student's model whose weights are what they are at first."""
    return student.Llama(student.LlamaConfig(**sizes))


def heads(draw, n_heads, n_kv_heads, new, seq, d_head=4, dtype=None):
    """Draw queries, keys and values."""
    key, value = (draw.normal(2, n_kv_heads, seq, d_head, dtype=dtype) for _ in range(2))
    return draw.normal(2, n_heads, new, d_head, scale=1.5, dtype=dtype), key, value


def ids_and_state(draw, sizes=SIZES, batch=3, seq=11):
    """Draw ids and weights for a model."""
    return draw.integers(0, sizes["vocab_size"], batch, seq), oracle_model.random_state(draw, sizes)


def expect_logits(actual, ids, state, sizes=SIZES, **options):
    """Compare logits with those of the reference, and with the near misses."""
    expected = oracle_model.logits(ids, state, sizes)
    atol = oracle.thousandth(expected)
    expect_close(actual, expected, atol=atol, rtol=1e-4, misses=oracle_model.misses(ids, state, sizes), **options)


def expect_in_pieces(student, model, cache, ids, cuts, expected, misses=None):
    """Read a text in pieces, each after what the cache holds, and compare with the logits of the whole text."""
    start, atol = 0, oracle.thousandth(expected)
    for piece in ids.split(cuts, dim=1):
        end = start + piece.shape[1]
        near = {
            words: (lambda wrong=wrong, at=(start, end): wrong()[:, slice(*at)])
            for words, wrong in (misses or {}).items()
        }
        actual, what = student.forward_cached(model, piece, cache), f"the logits of tokens {start} to {end - 1}"
        expect_close(actual, expected[:, start:end], atol=atol, rtol=1e-4, misses=near, what=what)
        start = end


def held(student, cache):
    """Return the keys and values of each layer that a cache holds."""
    found = student.plant(m15_probes).held(cache)
    empty = [layer for layer, pair in enumerate(found) if pair is None]
    mistake = oracle_model.NOT_APPENDED if len(empty) == len(found) else None
    expect(not empty, f"Nothing was appended to the cache for these layers: {empty}.", mistake=mistake)
    return found


def expect_tensors(actual, expected, what, misses=None):
    """Compare tables of tensors exactly; `misses` maps mistakes to other tables."""
    expect(isinstance(actual, dict), sentence(what, "is no dict."))
    headless = {oracle_files.HEADLESS: sorted(expected.keys() - {"lm_head.weight"})}
    expect_equal(sorted(actual), sorted(expected), misses=headless, what=f"the list of keys of {what}")
    for key in expected:
        found = actual[key]
        if type(found) is torch.Tensor and found.dtype == torch.bfloat16 and expected[key].dtype == torch.float32:
            expect(False, f"{key} of {what} is bfloat16.", mistake=oracle_files.DTYPE, evidence="value")
        wrong = {words: table[key] for words, table in (misses or {}).items() if key in table}
        expect_close(found, expected[key], atol=0.0, misses=wrong, what=f"{key} of {what}")


def expect_own_memory(student, sizes, given):
    """Load a checkpoint, then set the model to 0: the dict that was loaded has its keys and values afterwards."""
    after = student.plant(in_place).zeroed_afterwards(student.load_llama, empty_model(student, sizes), given)
    expect_unchanged(sorted(after), sorted(given), what="the list of the checkpoint's keys after loading")
    for key, value in given.items():
        misses = {oracle_files.ALIASED: torch.zeros_like(value)}
        expect_unchanged(after[key], value, misses=misses, what=f"the checkpoint's {key} after loading")


def expect_state(student, layer, shapes, bias):
    """Compare the names and shapes of a module's state, which are its parameters'; `bias` is what one too many says."""
    found = sorted(layer.state_dict())
    misses = {bias: found} if any("bias" in key for key in found) else None
    expect_equal(found, sorted(shapes), misses=misses, what="the list of keys of state_dict()")
    learnt = {name: tuple(value.shape) for name, value in student.probe.parameters(layer).items()}
    expect(learnt.keys() == shapes.keys(), f"The parameters are {sorted(learnt)}.")
    expect_equal(learnt, dict(shapes), what="the shape of each parameter")


def expect_untouched(student, function, *args):
    """Compare all arguments after a call with what they were before."""
    after = student.probe.mutated(function, *args)
    for place, (found, before) in enumerate(zip(after["args"], args, strict=True)):
        expect_unchanged(found, before, what=f"argument {place} after the call")


def expect_gradients(student, function, reference, args, weights):
    """Compare the gradients of all arguments with those of the reference in float64."""
    found = student.probe.gradients(function, list(args), weights)["args"]
    for place, (mine, right) in enumerate(zip(found, oracle.gradients(reference, args, weights), strict=True)):
        misses = {oracle.CUT: right * 0}
        atol = oracle.thousandth(right)
        expect_close(mine, right, atol=atol, rtol=1e-3, misses=misses, what=f"the gradient of argument {place}")


def filled(student, llama_weights):
    """Make the student's model of the checkpoint's sizes, with its weights put in place by the judge, in eval mode."""
    model = student.Llama(student.LlamaConfig(**llama_weights.sizes))
    return student.plant(m15_probes).fill_from_file(model, llama_weights.inside(student))


def expect_their_logits(actual, expected, what):
    """Compare logits with transformers' own: sums of float32 in another order, over hundreds of terms."""
    misses = {"the result is a log-softmax: return the scores as they are": lambda: expected.log_softmax(-1)}
    atol = 1e-3 * float(expected.abs().median())
    expect_close(actual, expected, atol=atol, rtol=1e-3, misses=misses, what=what)
