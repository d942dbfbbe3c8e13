"""m15_llama: the model and its cache."""

from typing import Any

import pytest
import torch

from grader.judge import (
    achieve,
    counted,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_tensor,
)

from . import oracle, oracle_model, oracle_transformers
from . import oracle_learning as learning
from . import probes as m15_probes
from .steps import (
    KIN,
    SIZES,
    expect_in_pieces,
    expect_logits,
    expect_their_logits,
    filled,
    held,
    ids_and_state,
    student_model,
)

NEW = 16  # tokens that a checkpoint writes
COUNTS: dict[str, Any] = {  # what LlamaConfig is given, and how many numbers that model has
    "llama_2_7b": ({}, 6_738_415_616),
    "llama_3_8b": ({"vocab_size": 128256, "n_kv_heads": 8, "d_ff": 14336, "theta": 5e5}, 8_030_261_248),
    "llama_3_2_1b": (
        {"vocab_size": 128256, "d_model": 2048, "n_layers": 16, "n_kv_heads": 8, "d_ff": 8192, "tied": True},
        1_235_814_400,
    ),
}


# ── m15.4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.4")
@pytest.mark.holds(
    "Its parts: `embed_tokens` (nn.Embedding), `layers` (each with `input_layernorm`, `self_attn` of "
    "`q_proj`, `k_proj`, `v_proj`, `o_proj`, `post_attention_layernorm`, `mlp`), `norm`, `lm_head`; the "
    "state_dict holds nothing else.",
    "No nn.Linear has a bias; `config` is kept.",
)
@pytest.mark.parametrize("name", ["llama", "gemma", "phi3"], ids=["own_heads", "tied", "default_heads"])
def test_its_parts_bear_hugging_faces_names(student, name):
    """The state_dict has Hugging Face's names and shapes and nothing else, and the config can be read."""
    sizes = SIZES | KIN[name]
    if name == "phi3":
        del sizes["n_kv_heads"], sizes["d_head"]
    model = student.Llama(student.LlamaConfig(**sizes))
    found = {key: tuple(value.shape) for key, value in student.plant(m15_probes).tensors(model).items()}
    expected = oracle_model.shapes(sizes)
    misses = oracle_model.key_misses(sorted(found), sorted(expected), student.probe.parameters(model))
    expect_equal(sorted(found), sorted(expected), misses=misses, what="the list of keys of state_dict()")
    narrow = oracle_model.shapes(sizes | {"d_head": None})
    wide = oracle_model.shapes(sizes | {"n_kv_heads": None})
    others = {oracle_model.NARROW: narrow, oracle_model.MANY_KEYS: wide}
    others = {words: shapes for words, shapes in others.items() if shapes != expected}
    expect_equal(found, expected, misses=others, what="the table of shapes")
    expect_equal(model.config.d_ff, 40, what="config.d_ff")


@pytest.mark.task("m15.4")
@pytest.mark.holds(
    "Given, nothing to do here: the defaults are Llama 2 7B's.",
)
@pytest.mark.warm("torch._dynamo")  # arithmetic on the meta device imports it
@pytest.mark.parametrize("name", list(COUNTS))
def test_known_models_have_their_number_of_parameters(student, name):
    """Made without data, Llama 2 7B has 6,738,415,616 numbers, Llama 3 8B 8,030,261,248, and 3.2 1B 1,235,814,400."""
    given, expected = COUNTS[name]
    shapes = student.plant(m15_probes).on_meta(student.Llama, student.LlamaConfig(**given))
    found = sum(torch.Size(shape).numel() for shape in shapes.values())
    sizes = {"vocab_size": 32000, "d_model": 4096, "n_layers": 32, "n_heads": 32, "d_ff": 11008} | given
    many, other = (
        oracle_model.count(sizes | change) for change in ({"n_kv_heads": None}, {"tied": not given.get("tied")})
    )
    misses = {oracle_model.MANY_KEYS: many, oracle_model.TWO_TENSORS if given.get("tied") else oracle_model.TIED: other}
    misses = {words: value for words, value in misses.items() if value != expected}
    expect_equal(found, expected, misses=misses, what="the number of parameters")


@pytest.mark.task("m15.4")
@pytest.mark.holds(
    "From ids to logits: LLaMA (Touvron et al. 2023), section 2.2.",
    "A layer adds to x what self_attn makes of its first norm's result, then to the sum what mlp makes of its "
    "second's.",
    "Queries and keys are turned by their positions, values are not.",
    "Score every token as the successor of each.",
)
@pytest.mark.parametrize("name", ["llama", "llama3", "phi3"], ids=["plain", "stretched", "default_heads"])
def test_logits_follow_from_the_parts(student, draw, name):
    """Embedding, layers in their order, last norm and scores: the logits are those of the same weights elsewhere."""
    sizes = SIZES | KIN[name]
    ids, state = ids_and_state(draw, sizes)
    expect_logits(student_model(student, sizes, state)(ids), ids, state, sizes, what="the tensor of logits")


@pytest.mark.task("m15.4")
@pytest.mark.holds(
    "There is no longest text.",
)
def test_one_model_takes_every_length(student, draw):
    """One model serves ninety ids, then one, then three, each as if it came first."""
    state = oracle_model.random_state(draw, SIZES)
    model = student_model(student, SIZES, state)
    for batch, seq in ((1, 90), (2, 1), (1, 1), (1, 3)):
        ids = draw.integers(0, SIZES["vocab_size"], batch, seq)
        expect_logits(model(ids), ids, state, what=f"the result for {batch} times {counted(seq, 'id')}")


@pytest.mark.task("m15.4")
def test_it_gives_transformers_logits(student, draw, weights):
    """With the same random weights the logits are those of Hugging Face's LlamaForCausalLM."""
    sizes = SIZES | KIN["llama3"]
    ids, state = ids_and_state(draw, sizes)
    expected = weights.answer(
        "llama's logits", (ids, state, sizes), lambda: oracle_transformers.hugging_face("llama3", ids, state, sizes)
    )
    misses = oracle_model.misses(ids, state, sizes)
    actual = student_model(student, sizes, state)(ids)
    expect_close(actual, expected, atol=oracle.thousandth(expected), rtol=1e-3, misses=misses, what="the result")


@pytest.mark.task("m15.4")
@pytest.mark.parametrize("tied", [False, True], ids=["two_tensors", "tied"])
def test_every_part_can_learn(student, draw, tied):
    """The gradient of every parameter is that of the same model elsewhere; a shared one learns from both ends."""
    sizes = SIZES | {"tied": tied}
    (ids, state), mix = ids_and_state(draw, sizes), draw.normal(3, 11, SIZES["vocab_size"])
    found = student.probe.gradients(student_model(student, sizes, state), [ids], mix)["parameters"]
    for name, expected in oracle_model.gradients(ids, state, sizes, mix).items():
        other = "lm_head.weight" if tied and name == "embed_tokens.weight" else name
        expect(name in found or other in found, f"{name} is no parameter.", mistake=oracle_model.NOT_SEEN)
        gradient = found[name if name in found else other]
        expect(gradient is not None, f"{name} has no gradient.", mistake=oracle.CUT)
        atol = 0.009 * float(expected[expected != 0].abs().median())
        misses = {oracle.CUT: torch.zeros_like(expected)}
        expect_close(gradient, expected, atol=atol, rtol=5e-3, misses=misses, what=f"the gradient of {name}")


@pytest.mark.task("m15.4")
@pytest.mark.holds(
    "With config.tied lm_head.weight IS embed_tokens.weight; with config.scaled_embeddings the embedded ids "
    "are multiplied by sqrt(d_model).",
)
@pytest.mark.parametrize("name", ["embed_tokens", "lm_head"])
def test_a_change_at_one_end_shows_at_the_other(student, draw, name):
    """With config.tied, overwriting either weight changes both what ids become and how they are scored."""
    sizes = SIZES | {"tied": True}
    ids, state = ids_and_state(draw, sizes)
    model, changed = student_model(student, sizes, state), draw.normal(37, 24, scale=0.5)
    student.plant(m15_probes).overwrite(model, name, changed)
    after, old = state | {"embed_tokens.weight": changed, "lm_head.weight": changed}, state["lm_head.weight"]
    torn = {**after, "lm_head.weight": old} if name == "embed_tokens" else {**state, "lm_head.weight": changed}
    misses = {oracle_model.TWO_TENSORS: lambda: oracle_model.logits(ids, torn, sizes)}
    expected = oracle_model.logits(ids, after, sizes)
    atol = oracle.thousandth(expected)
    expect_close(model(ids), expected, atol=atol, rtol=1e-4, misses=misses, what="the result after the change")


@pytest.mark.task("m15.4")
def test_a_model_that_was_in_bfloat16_keeps_its_positions(student, draw):
    """After model.to(bfloat16) and back to float32 only the weights are rounded, and no position is somewhere else."""
    sizes = SIZES | {"theta": 15.7}  # so that bfloat16 rounds the second frequency most
    ids, state = ids_and_state(draw, sizes, batch=1, seq=40)
    state, probes = {key: value.bfloat16().float() for key, value in state.items()}, student.plant(m15_probes)
    model = probes.to(probes.to(student_model(student, sizes, state), torch.bfloat16), torch.float32)
    expected = oracle_model.logits(ids, state, sizes)
    misses = {oracle_model.ROUNDED: lambda: oracle_model.logits(ids, state, sizes, coarse="frequencies")}
    expect_close(model(ids), expected, atol=oracle.thousandth(expected), rtol=1e-3, misses=misses)


@pytest.mark.task("m15.4")
@pytest.mark.warm("torch._dynamo")
def test_a_model_runs_where_it_is(student, draw):
    """With model and ids on another device, positions, frequencies and mask are made there too."""
    ids, state = ids_and_state(draw)
    model = student_model(student, SIZES, state)
    expect_tensor(model(ids), shape=(3, 11, 37), dtype=torch.float32)
    expect_one_device(student, model, [ids], mistake=oracle.ELSEWHERE)


@pytest.mark.task("m15.4")
def test_it_learns_to_look_back(student, draw):
    """Trained on random tokens it comes to know which one stood three before, as no model without positions can."""
    task = learning.LookBack(draw)
    model = student_model(student, learning.SIZES, task.start)
    probes = student.plant(m15_probes)
    probes.train(model, task.ids, task.targets, learning.RATE)
    right = task.share(probes.tensors(model))
    steps, numbers = counted(learning.STEPS, "step"), counted(oracle_model.count(learning.SIZES), "number")
    said = f"After {steps} {right:.0%} of new texts' tokens are known from three before."
    expect_bound(right, said, above=learning.LEARNED, mistake=oracle_model.LOOK_BACK)
    achieve(
        f"After {steps} your Llama of {numbers} knows in {right:.0%} of cases which token stood three before; "
        f"the bound is {learning.LEARNED:.0%}, and by chance it would be {1 / learning.SIZES['vocab_size']:.0%}."
    )


@pytest.mark.checkpoint(copies=4, of="llama")  # the file, the model, and what is made on the way
@pytest.mark.task("m15.4")
@pytest.mark.holds("From ids to logits: LLaMA (Touvron et al. 2023), section 2.2.")
def test_llamas_weights_in_place_give_its_logits(student, draw, llama_weights):
    """With a checkpoint's weights put in place by the judge, the logits are those of Hugging Face's Llama."""
    ids = draw.integers(0, llama_weights.sizes["vocab_size"], 2, 11)
    expected = llama_weights.answer("logits", (ids,), lambda: oracle_transformers.their_logits(llama_weights, ids))
    expect_their_logits(filled(student, llama_weights)(ids), expected, "the tensor of logits")


# ── m15.5 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.5")
@pytest.mark.holds(
    "Run your Llama on new tokens alone, which follow those in the cache, and take them in.",
    "The logits are the whole text's, however it's cut.",
)
@pytest.mark.parametrize("cuts", [[8], [4, 3, 1], [1] * 8, [2, 6]], ids=["8", "4+3+1", "one_by_one", "2+6"])
def test_logits_with_and_without_a_cache_are_the_same(student, draw, cuts):
    """Read in pieces, a text has the logits that it has when read at once."""
    ids, state = ids_and_state(draw, batch=2, seq=8)
    model, cache = student_model(student, SIZES, state), student.plant(m15_probes).cache(SIZES["n_layers"])
    expected = oracle_model.logits(ids, state, SIZES)
    misses = oracle_model.misses(ids, state, SIZES)
    misses[oracle_model.RESTART] = lambda: oracle_model.logits(ids, state, SIZES, cuts=cuts, positions="restart")
    misses[oracle_model.ONE_ENTRY] = lambda: oracle_model.logits(ids[:, : cuts[0]], state, SIZES, one_entry=True)
    misses[oracle_model.ALONE] = lambda: oracle_model.piecewise(ids, state, SIZES, cuts)
    misses[oracle.TOP_LEFT] = lambda: oracle_model.piecewise(ids, state, SIZES, cuts, "top left")
    misses[oracle_model.NO_MASK] = lambda: oracle_model.piecewise(ids, state, SIZES, cuts, "no mask")
    expect_in_pieces(student, model, cache, ids, cuts, expected, misses)


@pytest.mark.task("m15.5")
@pytest.mark.holds(
    "The cache is m07's KVCache: len(cache) tokens are in it, append(layer, key, value) returns all of a "
    "layer's keys and values.",
    "It gets keys that are turned already, n_kv_heads of them.",
)
def test_the_cache_holds_turned_keys_of_few_heads(student, draw):
    """After two passes every layer holds the keys, turned by their positions, and values, of n_kv_heads heads."""
    ids, state = ids_and_state(draw, batch=2, seq=8)
    probes = student.plant(m15_probes)
    model, cache = student_model(student, SIZES, state), probes.cache(SIZES["n_layers"])
    for piece in ids.split([5, 3], dim=1):
        student.forward_cached(model, piece, cache)
    found, expected = held(student, cache), oracle_model.kept(ids, state, SIZES)
    raw = oracle_model.kept(ids, state, SIZES, turned="")
    restarted = oracle_model.kept(ids, state, SIZES, cuts=[5, 3], positions="restart")
    times = SIZES["n_heads"] // SIZES["n_kv_heads"]
    for layer, (pair, rights) in enumerate(zip(found, expected, strict=True)):
        for place, (actual, right) in enumerate(zip(pair, rights, strict=True)):
            misses = {
                oracle_model.REPEATED: right.repeat_interleave(times, 1),
                oracle_model.SWAPPED: rights[1 - place],
                "the values are turned too: positions matter for scores alone": oracle.rope(
                    right, torch.arange(8), oracle.frequencies(8, SIZES["theta"])
                ),
            }
            if place == 0:
                misses |= {oracle_model.RESTART: restarted[layer][0]}
                misses |= {oracle_model.UNTURNED: raw[layer][0]} if layer == 0 else {}
            what = f"what the cache holds as {('keys', 'values')[place]} of layer {layer}"
            expect_close(actual, right, atol=oracle.thousandth(right), rtol=1e-4, misses=misses, what=what)


@pytest.mark.task("m15.5")
@pytest.mark.holds(
    "Each part gives back the dtype that it was given.",
)
def test_a_model_in_bfloat16_keeps_its_positions(student, draw):
    """After model.to(bfloat16) the keys of a long text are turned by angles that are as exact as before."""
    sizes = SIZES | {"n_layers": 1, "theta": 15.7}  # so that bfloat16 rounds the second frequency most
    state = {key: value.bfloat16().float() for key, value in oracle_model.random_state(draw, sizes).items()}
    ids, probes = draw.integers(0, 37, 1, 600), student.plant(m15_probes)
    model, cache = probes.to(student_model(student, sizes, state), torch.bfloat16), probes.cache(1)
    logits = student.forward_cached(model, ids, cache)
    expect_tensor(logits, shape=(1, 600, 37), dtype=torch.bfloat16, what="the tensor of logits")
    keys = held(student, cache)[0][0]
    right, *rounded = (oracle_model.kept(ids, state, sizes, coarse=how)[0][0] for how in ("", "frequencies", "angles"))
    expect_tensor(keys, shape=tuple(right.shape), dtype=torch.bfloat16, what="the tensor of cached keys")
    far, near = oracle_model.distance(keys, right), min(oracle_model.distance(keys, wrong) for wrong in rounded)
    mistake = oracle_model.ROUNDED if near < oracle_model.COARSE else None
    said = f"The keys of a text of 600 tokens are off by {far:.1%} in the mean."
    expect(far < oracle_model.COARSE, said, mistake=mistake, evidence="value")


@pytest.mark.task("m15.5")
@pytest.mark.holds(
    "Run your Llama on new tokens alone, which follow those in the cache, and take them in.",
)
def test_only_new_tokens_are_read(student, draw):
    """Of two texts, pieces of 4, 3 and 1 tokens look up 8, 6 and 2 embeddings: what was read is not read again."""
    ids, state = ids_and_state(draw, batch=2, seq=8)
    probes = student.plant(m15_probes)
    model, cache, fed = student_model(student, SIZES, state), probes.cache(SIZES["n_layers"]), []
    for piece in ids.split([4, 3, 1], dim=1):
        fed.append(probes.embedded(model, student.forward_cached, model, piece, cache)["count"])
    misses = {oracle_model.RECOMPUTED: [8, 14, 16]}
    expect_equal(fed, [8, 6, 2], misses=misses, what="the list of how many tokens are embedded")


@pytest.mark.task("m15.5")
def test_caches_know_nothing_of_each_other(student, draw):
    """Two texts read in turns, each with its own cache, do not mix; without a cache a text is still read alone."""
    (first, state), second = ids_and_state(draw, batch=2, seq=6), draw.integers(0, 37, 2, 6)
    probes, model = student.plant(m15_probes), student_model(student, SIZES, state)
    alone, caches = probes.cache(SIZES["n_layers"]), [probes.cache(SIZES["n_layers"]) for _ in range(2)]
    expect_in_pieces(student, model, alone, first, [4, 2], oracle_model.logits(first, state, SIZES))
    for start, end in ((0, 4), (4, 6)):
        for ids, cache in zip((first, second), caches, strict=True):
            actual = student.forward_cached(model, ids[:, start:end], cache)
            expected = oracle_model.logits(ids, state, SIZES)[:, start:end]
            expect_tensor(actual, shape=tuple(expected.shape), dtype=torch.float32)
            close = torch.allclose(actual, expected, atol=oracle.thousandth(expected), rtol=1e-4)
            message = "The logits of a text change when another is read with another cache."
            expect(close, message, mistake=oracle_model.LEAK, evidence="value")
    expect_logits(model(first), first, state, what="the result without a cache")


@pytest.mark.task("m15.5")
@pytest.mark.holds(
    "No graph is built.",
)
def test_a_cache_holds_no_graph(student, draw):
    """Though the model's weights want gradients, neither the logits nor what is cached hang on a graph."""
    ids, state = ids_and_state(draw)
    probes = student.plant(m15_probes)
    args = student.forward_cached, student_model(student, SIZES, state), ids, probes.cache(SIZES["n_layers"])
    found = probes.requires_grad(*args)
    graph = {
        "the pass builds a graph: torch.no_grad() is missing": dict.fromkeys(found, True),
        "the logits hang on a graph: torch.no_grad() ends too early": {"the logits": True, "what is cached": False},
        "what is cached hangs on a graph: torch.no_grad() begins too late": {
            "the logits": False,
            "what is cached": True,
        },
    }
    expect_equal(found, {"the logits": False, "what is cached": False}, misses=graph, what="what requires gradients")


@pytest.mark.checkpoint(copies=4, of="llama")  # the file, the model, and what is made on the way
@pytest.mark.task("m15.5")
@pytest.mark.holds("The logits are the whole text's, however it's cut.")
def test_a_checkpoint_reads_its_own_text_token_by_token(student, draw, llama_weights, data):
    """The checkpoint's greedy text, read with a cache, has the logits of Hugging Face's Llama at each new token."""
    begun = "One day, a little fox"
    if llama_weights.name == "llama-nano":
        prompt = torch.tensor([data.tiktoken().encode(begun)])
    else:
        prompt = draw.integers(0, llama_weights.sizes["vocab_size"], 1, 7)
    text = llama_weights.answer(
        "greedy", (prompt, NEW), lambda: oracle_transformers.their_text(llama_weights, prompt, NEW)
    )
    expected = llama_weights.answer("logits", (text,), lambda: oracle_transformers.their_logits(llama_weights, text))
    model, cache = filled(student, llama_weights), student.plant(m15_probes).cache(llama_weights.sizes["n_layers"])
    chosen, start = [], 0
    for piece in text[:, :-1].split([prompt.shape[1]] + [1] * (NEW - 1), dim=1):
        end = start + piece.shape[1]
        actual = student.forward_cached(model, piece, cache)
        expect_their_logits(actual, expected[:, start:end], f"the tensor of logits of tokens {start} to {end - 1}")
        chosen.append(int(actual[0, -1].argmax()))
        start = end
    if llama_weights.name == "llama-nano":
        said = data.tiktoken().decode(chosen).strip()
        achieve(f"By your code llama-nano has gone on from “{begun}” by {counted(NEW, 'token')}: “{said}”")
