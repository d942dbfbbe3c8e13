"""m15_llama: Llama's kin, each beside Hugging Face's own class."""

import pytest
import torch

from grader.judge import FLOAT32_LAYER, FLOAT32_OP, StudentError, expect, expect_close, expect_equal

from . import oracle, oracle_files, oracle_model, oracle_transformers
from . import probes as m15_probes
from .steps import (
    KIN,
    SIZES,
    empty_model,
    expect_in_pieces,
    expect_own_memory,
    expect_tensors,
    heads,
    ids_and_state,
    loaded,
    student_model,
)

NAMES = ["mistral", "gemma", "phi3"]


@pytest.mark.task("m15.7")
@pytest.mark.holds(
    "With plus_one it starts at 0, and 1 + weight multiplies.",
)
def test_gemmas_norm_multiplies_by_one_more(student, draw):
    """With plus_one the weight is 0 at first, which leaves a vector's size alone, and 1 + weight multiplies."""
    x, weight, zeros = draw.normal(3, 5, 4), draw.normal(4, scale=0.5), torch.zeros(4)
    layer = student.RMSNorm(4, eps=0.1, plus_one=True)
    start = student.probe.parameters(layer)["weight"]
    at_1 = {oracle.STARTS_AT_1: torch.ones(4)}
    expect_close(start, zeros, atol=0.0, misses=at_1, what="weight at first")
    for value in (zeros, weight):
        expected = oracle.rms_norm(x, value, 0.1, plus_one=True)
        misses = oracle.norm_misses(x, value, 0.1, plus_one=True)
        actual = loaded(student, layer, {"weight": value})(x)
        expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.7")
@pytest.mark.holds(
    'act is SiLU, x * sigmoid(x), or with activation "gelu" GELU in its form with tanh.',
)
@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_gemmas_gate_is_gelu(student, draw, activation):
    """The gate is GELU by its approximation with tanh, or SiLU, as `activation` says."""
    x, state = 2 * draw.normal(3, 5), oracle.gated_state(draw, 5, 7)
    layer, misses = (
        loaded(student, student.GatedMLP(5, 7, activation), state),
        oracle.gated_misses(x, state, activation),
    )
    expected = oracle.gated(x, state, activation)
    expect_close(layer(x), expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.7")
@pytest.mark.holds(
    "Each sees its own position and all before it, with a window no more than `window` of them in all.",
)
@pytest.mark.parametrize(("new", "window"), [(9, 3), (2, 3), (9, 1), (9, 20)], ids=str)
def test_a_window_goes_with_its_query(student, draw, new, window):
    """A query sees no more than `window` positions, its own included, also when only the last queries are given."""
    query, key, value = heads(draw, 6, 2, new, 9)
    misses = oracle.grouped_misses(query, key, value, window)
    actual = student.grouped_attention(query, key, value, window)
    expect_close(actual, oracle.grouped(query, key, value, window), atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.7")
@pytest.mark.holds(
    "With config.tied lm_head.weight IS embed_tokens.weight; with config.scaled_embeddings the embedded ids "
    "are multiplied by sqrt(d_model).",
)
@pytest.mark.parametrize("name", NAMES)
def test_each_of_the_kin_gives_transformers_logits(student, draw, weights, name):
    """With the same random weights Mistral, Gemma and Phi-3 give the logits of Hugging Face's own classes."""
    sizes = SIZES | KIN[name]
    ids, state = ids_and_state(draw, sizes)
    expected = weights.answer(
        f"{name}'s logits", (ids, state, sizes), lambda: oracle_transformers.hugging_face(name, ids, state, sizes)
    )
    actual, misses = student_model(student, sizes, state)(ids), oracle_model.misses(ids, state, sizes)
    expect_close(actual, expected, atol=oracle.thousandth(expected), rtol=1e-3, misses=misses)


@pytest.mark.task("m15.7")
@pytest.mark.parametrize("name", ["mistral", "gemma"])
def test_the_kin_reads_in_pieces_too(student, draw, name):
    """With a cache, a window goes on where the text stopped, and embeddings are scaled as without one."""
    sizes = SIZES | KIN[name]
    ids, state = ids_and_state(draw, sizes)
    model, cache = student_model(student, sizes, state), student.plant(m15_probes).cache(SIZES["n_layers"])
    expected, misses = oracle_model.logits(ids, state, sizes), oracle_model.misses(ids, state, sizes)
    expect_in_pieces(student, model, cache, ids, [6, 1, 4], expected, misses)


def fused_mistake(student, draw, layout):
    """Return the mistake that refuses fused matrices, by the sizes with which they are read."""
    for mistake, change in (
        (oracle_model.NARROW, {"d_head": None}),
        (oracle_files.THIRDS, {"n_kv_heads": None, "d_head": None}),
    ):
        sizes = SIZES | change
        state = oracle_files.fused(oracle_model.random_state(draw, sizes))
        try:
            student.load_llama(empty_model(student, sizes), oracle_files.checkpoint(state, layout))
        except StudentError:
            continue
        return mistake
    return oracle_files.FUSED_REFUSED


@pytest.mark.task("m15.7")
@pytest.mark.holds(
    "Phi-3 fuses self_attn.qkv_proj (rows of queries, keys, values) and mlp.gate_up_proj (gate, up): they are "
    "cut apart.",
)
@pytest.mark.parametrize("layout", ["plain", "prefixed"])
def test_phi3s_fused_matrices_are_cut_apart(student, draw, layout):
    """Queries, keys and values, then gate and up, are cut out of one matrix each, by their own numbers of rows."""
    state, model = oracle_model.random_state(draw, SIZES), empty_model(student)
    given = oracle_files.checkpoint(oracle_files.fused(state), layout)
    try:
        student.load_llama(model, given)
    except StudentError as error:
        mistake = fused_mistake(student, draw, layout)
        known = mistake != oracle_files.FUSED_REFUSED or error.kind in ("ValueError", "KeyError")
        expect(not known, f"Your code raised {error}.", mistake=mistake)
        raise
    found = student.plant(m15_probes).tensors(model)
    expect_tensors(found, state, "the loaded model", oracle_files.fused_misses(state, SIZES))
    expect_own_memory(student, SIZES, given)


@pytest.mark.task("m15.7")
def test_fused_rows_that_do_not_fit_are_refused(student, draw):
    """A fused matrix with a row too many raises ValueError with its key in its text, and changes nothing."""
    before, state = (oracle_model.random_state(draw, SIZES) for _ in range(2))
    model = student_model(student, SIZES, before)
    for part in ("self_attn.qkv_proj", "mlp.gate_up_proj"):
        key = f"layers.1.{part}.weight"
        fine = oracle_files.fused(state)
        broken, said = fine | {key: torch.cat([fine[key], fine[key][:1]])}, "has a row too many"
        oracle_files.expect_refused(student, model, broken, key, "has another shape", said, fine=fine)
    after = student.plant(m15_probes).tensors(model)
    expect_tensors(after, before, "the model after a refused checkpoint", {oracle_files.HALF_LOADED: state})


@pytest.mark.task("m15.7")
def test_without_its_switches_it_is_llama(student, draw):
    """A model whose config names no switch has norms that start at 1, SiLU, no window, and embeddings as they are."""
    config = student.LlamaConfig()
    for name, value in {
        "window": None, "activation": "silu", "plus_one": False, "scaled_embeddings": False, "tied": False,
        "scaling": None, "eps": 1e-5, "theta": 10000.0,
    }.items():  # fmt: skip
        expect_equal(getattr(config, name), value, what=f"config.{name}")
    x = draw.normal(3, 5)
    expected = oracle.rms_norm(x, 1.0, 1e-5)
    expect_close(student.RMSNorm(5)(x), expected, atol=5 * FLOAT32_OP, what="what a new norm gives")
