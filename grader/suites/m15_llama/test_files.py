"""m15_llama: Hugging Face's checkpoint, Meta's layout, Llama 3's vocabulary, and LitGPT's names."""

import pytest
import torch

from grader.judge import (
    StudentError,
    achieve,
    counted,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_raises,
)
from grader.suites.shared import in_place

from . import oracle, oracle_files, oracle_model, oracle_transformers
from . import probes as m15_probes
from .steps import (
    SIZES,
    empty_model,
    expect_own_memory,
    expect_tensors,
    expect_their_logits,
    ids_and_state,
    student_model,
)

TIED = SIZES | {"tied": True}


def load(student, model, state, layout):
    """Load a checkpoint that fits; when it is refused, try the other layouts too: which of them fit says why."""
    try:
        student.load_llama(model, oracle_files.checkpoint(state, layout))
    except StudentError as error:
        known = error.kind in ("ValueError", "KeyError")
        expect(not known, f"Your code raised {error}.", mistake=refusal(student, state) if known else None)
        raise


def refusal(student, state):
    """Return the mistake that refuses just the layouts that are refused, if there is one."""
    refused = set()
    for layout in oracle_files.LAYOUTS:
        try:
            student.load_llama(empty_model(student), oracle_files.checkpoint(state, layout))
        except StudentError:
            refused.add(layout)
    for part, mistake in oracle_files.REFUSED.items():
        if refused == {layout for layout in oracle_files.LAYOUTS if part in layout}:
            return mistake
    without = {layout for layout in oracle_files.LAYOUTS if "prefixed" not in layout}
    return oracle_files.PREFIX_NEEDED if refused == without else None


# ── m15.6 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.",
    "Keys are the model's own; either all but lm_head.weight have `model.` in front, or none has.",
    "Keys that end in `.rotary_emb.inv_freq` are dropped, and nothing else is.",
)
@pytest.mark.parametrize("layout", oracle_files.LAYOUTS)
def test_every_tensor_finds_its_place(student, draw, layout):
    """With and without `model.`, old files' frequencies, and in bfloat16, every tensor arrives in the model's dtype."""
    state, before = (oracle_model.random_state(draw, SIZES) for _ in range(2))
    state = {key: value.bfloat16().float() for key, value in state.items()}
    model, probes = student_model(student, SIZES, before), student.plant(m15_probes)
    load(student, model, state, layout)
    expect_tensors(probes.tensors(model), state, "the loaded model", {oracle_files.NOT_COPIED: before})


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.",
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=["float64", "bfloat16"])
def test_a_model_keeps_its_dtype(student, draw, dtype):
    """A model in float64 or bfloat16 that loads float32 has the weights in its own dtype afterwards."""
    state, probes = oracle_model.random_state(draw, SIZES), student.plant(m15_probes)
    model = probes.to(empty_model(student), dtype)
    load(student, model, state, "prefixed")
    expected = {key: value.to(dtype) for key, value in state.items()}
    expect_tensors(probes.tensors(model), expected, "the loaded model")


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "A tied lm_head.weight may be left out, and must equal the other.",
)
@pytest.mark.parametrize("head", [False, True], ids=["without_lm_head", "with_lm_head"])
def test_a_tied_model_needs_no_head(student, draw, head):
    """A tied model loads with and without lm_head.weight, and then still has one tensor for both ends."""
    ids, state = ids_and_state(draw, TIED)
    model, probes, given = empty_model(student, TIED), student.plant(m15_probes), dict(state)
    if not head:
        del given["lm_head.weight"]
    args, whole = ((model, oracle_files.checkpoint(one, "prefixed")) for one in (given, state))
    expect_answer(student.load_llama, *args, simpler=whole, mistake=oracle_files.HEAD_NEEDED)
    expect_tensors(probes.tensors(model), state, "the loaded model")
    changed = draw.normal(37, 24, scale=0.5)
    probes.overwrite(model, "embed_tokens", changed)
    model.eval()
    after, old = state | {"embed_tokens.weight": changed}, state["lm_head.weight"]
    expected, torn = (oracle_model.logits(ids, after, TIED, head=head) for head in (changed, old))
    atol, misses = oracle.thousandth(expected), {oracle_files.UNTIED_BY_LOADING: torn}
    expect_close(model(ids), expected, atol=atol, rtol=1e-4, misses=misses, what="the result after a change")


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "then stays.",
)
def test_a_missing_tensor_is_named(student, draw):
    """A checkpoint that lacks a tensor raises ValueError with its key in its text."""
    state, model = oracle_model.random_state(draw, SIZES), empty_model(student)
    for key in ("norm.weight", "lm_head.weight", "layers.1.self_attn.k_proj.weight", "embed_tokens.weight"):
        fine = oracle_files.checkpoint(state, "prefixed")
        broken = oracle_files.checkpoint({name: value for name, value in state.items() if name != key}, "prefixed")
        oracle_files.expect_refused(student, model, broken, key, "is missing", "is missing", fine=fine)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "then stays.",
)
def test_a_tied_model_needs_one_of_both_ends(student, draw):
    """Where a tied model's checkpoint has neither end, ValueError names embed_tokens.weight, or lm_head.weight."""
    state, model = oracle_model.random_state(draw, TIED), empty_model(student, TIED)
    rest = {key: value for key, value in state.items() if key not in ("embed_tokens.weight", "lm_head.weight")}
    broken, fine = (oracle_files.checkpoint(one, "prefixed") for one in (rest, state))
    lost, load = oracle_files.STRICT["is missing"], student.load_llama
    expect_raises("ValueError", load, model, broken, mentions=(".weight",), fine=(model, fine), mistake=lost)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "then stays.",
    "Keys that end in `.rotary_emb.inv_freq` are dropped, and nothing else is.",
)
def test_a_tensor_too_many_is_named(student, draw):
    """A checkpoint with a tensor that the model lacks raises ValueError with its key in its text."""
    state, model = oracle_model.random_state(draw, SIZES), empty_model(student)
    for key in ("layers.2.input_layernorm.weight", "layers.0.self_attn.q_proj.bias", "rotary_emb.freqs", "inv_freq"):
        broken = oracle_files.checkpoint(state | {key: torch.ones(24)}, "plain")
        oracle_files.expect_refused(student, model, broken, key, "is one too many", "is one too many", fine=state)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "then stays.",
)
def test_a_tensor_of_another_shape_is_named(student, draw):
    """A tensor that is cut, too long, turned round or would broadcast raises ValueError with its key in its text."""
    state, model = oracle_model.random_state(draw, SIZES), empty_model(student)
    shapes = {
        "norm.weight": (1,),
        "layers.1.mlp.up_proj.weight": (24, 40),
        "embed_tokens.weight": (36, 24),
        "layers.0.self_attn.v_proj.weight": (48, 24),
    }
    for key, shape in shapes.items():
        broken = oracle_files.checkpoint(state, "plain") | {key: draw.normal(*shape)}
        said = f"has the shape {list(shape)}"
        oracle_files.expect_refused(student, model, broken, key, "has another shape", said, fine=state)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "A tied lm_head.weight may be left out, and must equal the other.",
)
def test_a_head_of_its_own_is_refused_by_a_tied_model(student, draw):
    """A tied model refuses an lm_head.weight that differs in a single number, by a ValueError with its key."""
    state, model = oracle_model.random_state(draw, TIED), empty_model(student, TIED)
    broken, fine = (oracle_files.checkpoint(state, "prefixed") for _ in range(2))
    broken["lm_head.weight"][draw.random.randrange(37), 5] += 0.25
    said = "is not embed_tokens.weight"
    oracle_files.expect_refused(student, model, broken, "lm_head.weight", "differs", said, fine=fine)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "then stays.",
)
@pytest.mark.parametrize("fault", ["missing", "too_many", "shape", "head"])
def test_a_refused_checkpoint_changes_nothing(student, draw, fault):
    """After a ValueError the model has the weights that it had before."""
    sizes = TIED if fault == "head" else SIZES
    before, state = (oracle_model.random_state(draw, sizes) for _ in range(2))
    model, broken = student_model(student, sizes, before), oracle_files.checkpoint(state, "plain")
    if fault == "missing":
        del broken["norm.weight"]
    else:
        key = {"too_many": "layers.9.norm.weight", "shape": "norm.weight", "head": "lm_head.weight"}[fault]
        broken[key] = torch.ones(37, 24) if fault == "head" else torch.ones(25)
    expect_raises("ValueError", student.load_llama, model, broken)
    after = student.plant(m15_probes).tensors(model)
    misses = {oracle_files.HALF_LOADED: state}
    expect_tensors(after, before, "the model after a refused checkpoint", misses)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.",
)
@pytest.mark.parametrize("tied", [False, True], ids=["two_tensors", "tied"])
def test_loading_leaves_both_sides_their_own(student, draw, tied):
    """load_llama copies into the parameters that are there; the dict that was loaded stays as it is, its keys too."""
    sizes = SIZES | {"tied": tied}
    given = oracle_files.checkpoint(oracle_model.random_state(draw, sizes), "prefixed_frequencies")
    if tied:
        del given["lm_head.weight"]
    found = student.plant(in_place).replaced(student.load_llama, empty_model(student, sizes), given)
    expect(found == [], f"Replaced by other parameters: {', '.join(map(str, found))}.", mistake=oracle_files.REPLACED)
    expect_own_memory(student, sizes, given)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Return a checkpoint of Meta's under the model's own names, which the guide lists; rope.freqs is dropped.",
    "Meta turns neighbours, so row 2i of each head in wq and wk becomes row i, and row 2i + 1 becomes row i + "
    "d_head / 2.",
)
def test_metas_rows_are_put_into_order(student, draw):
    """Meta's names become ours, and the rows of wq and wk, head by head, go from neighbours to halves."""
    sizes = SIZES | {"d_head": 12}  # so that rows of keys could be cut into n_heads heads as well
    state = oracle_model.random_state(draw, sizes)
    actual = student.from_meta(oracle_files.to_meta(state, sizes), student.LlamaConfig(**sizes))
    expect_tensors(actual, state, "the result", oracle_files.meta_misses(state, sizes))


@pytest.mark.task("m15.6")
def test_both_layouts_give_one_model(student, draw):
    """A checkpoint that is computed Meta's way, by neighbours, gives the same logits once it is loaded."""
    sizes = SIZES | {"d_head": None, "n_kv_heads": 3, "scaling": oracle_model.STRETCHED}
    ids, state = ids_and_state(draw, sizes)
    given, model = oracle_files.to_meta(state, sizes), empty_model(student, sizes)
    theirs = {key: oracle_files.interleaved(value, 6 if "q_proj" in key else 3) if key.endswith(oracle_files.TURNED)
              else value for key, value in state.items()}  # fmt: skip
    expected = oracle_model.logits(ids, theirs, sizes, pairs="neighbours")
    student.load_llama(model, student.from_meta(given, student.LlamaConfig(**sizes)))
    model.eval()
    misses = {"the rows of wq and wk keep Meta's order: neighbours have to become halves": lambda: oracle_model.logits(
        ids, theirs, sizes)}  # fmt: skip
    expect_close(model(ids), expected, atol=oracle.thousandth(expected), rtol=1e-3, misses=misses)


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    'Example: the lines "YQ== 0", "Yg== 1", "YWI= 2" are the tokens a, b, ab, and (a, b) is the merge.',
    "A line of the file is a token, its bytes in base64, then a space and its rank, which is its id.",
)
def test_three_ranks_as_in_the_docstring(student):
    """The docstring's three lines give a, b and ab, so that abba is [2, 1, 0]."""
    path = student.file("three.model", b"YQ== 0\nYg== 1\nYWI= 2\n")
    tokenizer = student.load_ranks(path, [])
    expect_equal(tokenizer.encode("abba"), [2, 1, 0], what="the ids of abba")
    expect_equal(tokenizer.decode([2, 1, 0]), "abba", what="the text of [2, 1, 0]")


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Read Llama 3's vocabulary into your Tokenizer of m01; special tokens get the next ids, in their order.",
    "Any two tokens that together make a token are a merge, and merges stand in the order of the ranks that they make.",
)
def test_ids_are_those_of_tiktoken(student, draw, data):
    """A rank file of some hundred of GPT-2's tokens gives tiktoken's ids, and special tokens come after them."""
    ranks = oracle_files.some_ranks(data, draw)
    special = ["<|begin_of_text|>", "<|end_of_text|>"]
    tokenizer = student.load_ranks(student.file("ranks.model", oracle_files.rank_file(ranks)), special)
    stories = data.text("stories_heldout.txt")
    start = draw.random.randrange(len(stories) - 3000)
    for text in (stories[start : start + 2000], data.text("unicode.txt")[:1500]):
        expected = oracle_files.tiktoken_ids(data, ranks, text)
        misses = oracle_files.rank_misses(data, ranks, text)
        expect_equal(tokenizer.encode(text), expected, misses=misses, what="the ids")
        expect_equal(tokenizer.decode(expected), text, what="the text")
    top = max(ranks.values())
    ids = tokenizer.encode("<|end_of_text|>a<|begin_of_text|>")
    expect_equal(ids, [top + 2, ranks[b"a"], top + 1], what="the ids of special tokens around an a")


@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Any two tokens that together make a token are a merge, and merges stand in the order of the ranks that they make.",
)
def test_a_token_is_made_in_every_way(student, data):
    """Tokens that several pairs of tokens make, parts of higher rank among them, are made as tiktoken makes them."""
    tokens = {b"abc": 256, b"bcd": 257, b"abcd": 258, b"cd": 290, b"ab": 300, b"bc": 310, b"dx": 320}
    ranks = {bytes([byte]): byte for byte in range(256)} | tokens
    tokenizer = student.load_ranks(student.file("ways.model", oracle_files.rank_file(ranks)), [])
    for text in ("xabcx", "xabcdx", "xbcdx", "xbcx", "cdxab", "abab"):
        expected = oracle_files.tiktoken_ids(data, ranks, text)
        misses = oracle_files.rank_misses(data, ranks, text)
        expect_equal(tokenizer.encode(text), expected, misses=misses, what=f"the ids of {text}")


@pytest.mark.checkpoint(copies=4, of="llama")  # the file, the model, and what is made on the way
@pytest.mark.task("m15.6")
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is."
)
def test_a_loaded_checkpoint_gives_hugging_faces_logits(student, draw, llama_weights):
    """A checkpoint's own file, loaded by load_llama, gives the logits of Hugging Face's Llama."""
    model = student.Llama(student.LlamaConfig(**llama_weights.sizes))
    student.load_llama(model, llama_weights.inside(student))
    model.eval()
    ids = draw.integers(0, llama_weights.sizes["vocab_size"], 2, 11)
    expected = llama_weights.answer("logits", (ids,), lambda: oracle_transformers.their_logits(llama_weights, ids))
    expect_their_logits(model(ids), expected, "the tensor of logits")
    numbers = counted(oracle_model.count(llama_weights.sizes), "number")
    achieve(f"Your Llama runs {llama_weights.name}: {numbers} of its checkpoint in place, and Hugging Face's logits.")


# ── m15.8 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.8")
@pytest.mark.holds(
    "Return a Llama's state_dict() under the names of LitGPT 0.5, which the guide lists.",
    "Its attn.qkv holds the rows of q_proj, then those of k_proj, then those of v_proj.",
)
@pytest.mark.parametrize("tied", [False, True], ids=["two_tensors", "tied"])
def test_litgpt_finds_all_by_its_own_names(student, draw, tied):
    """Every tensor has LitGPT's name, with queries, keys and values in one matrix; a tied lm_head is there as well."""
    sizes = SIZES | {"tied": tied, "n_layers": 11}
    state = oracle_model.random_state(draw, sizes)
    expected, misses = oracle_files.to_litgpt(state), oracle_files.litgpt_misses(state, sizes)
    expect_tensors(student.to_litgpt(state), expected, "the result", misses)


@pytest.mark.task("m15.8")
def test_a_model_of_ones_own_goes_to_litgpt(student, draw):
    """The state_dict of the student's own model goes over as it is, and the model stays as it was."""
    state = oracle_model.random_state(draw, SIZES)
    model, probes = student_model(student, SIZES, state), student.plant(m15_probes)
    found = student.to_litgpt(model.state_dict())
    expect_tensors(found, oracle_files.to_litgpt(state), "the result")
    expect_tensors(probes.tensors(model), state, "the model afterwards")
