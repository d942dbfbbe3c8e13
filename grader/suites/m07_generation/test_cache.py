"""m07_generation: the cache, and generation with it."""

import time

import pytest
import torch

from grader.judge import asked, counted, expect, expect_close, expect_equal, expect_raises, expect_ratio, expect_tensor

from . import oracle
from . import oracle_drawing as drawing
from . import probes as inside
from .steps import trusted

SMALL = {"vocab_size": 11, "context_length": 16, "d_model": 24, "n_layers": 2, "n_heads": 3}


SPOKEN = {"vocab_size": 5, "context_length": 8, "d_model": 12, "n_layers": 2, "n_heads": 3}


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "Copies of the keys and values of all tokens read so far, (batch n_heads tokens d_head) in every layer.",
    "Add new tokens to a layer and return all of its keys and values, the oldest first.",
)
def test_a_cache_returns_all_it_was_given_in_order(student, draw):
    """Each layer gives back its old and new keys and values, oldest first; the length counts what all layers have."""
    cache, pieces = student.KVCache(2), [draw.normal(2, 3, new, 4) for new in (4, 3, 1)]
    expect_equal(len(cache), 0, what="the length of an empty cache")
    for count in range(1, 4):
        for layer in range(2):
            cached = cache.append(layer, pieces[count - 1] + layer, pieces[count - 1] * 2)
            expect(isinstance(cached, list | tuple) and len(cached) == 2, "append gives (keys, values), a pair.")
            for scale, offset, actual, name in ((1, layer, cached[0], "keys"), (2, 0, cached[1], "values")):
                parts = [piece * scale + offset for piece in pieces[:count]]
                misses = {
                    "only the new tokens come back": parts[-1],
                    "what came between the first call and this one is lost: keep all that was put together": torch.cat(
                        [parts[0], parts[-1]], dim=2
                    ),
                    "new tokens come before the old ones": torch.cat(parts[::-1], dim=2),
                    "keys and values are swapped": torch.cat(pieces[:count], dim=2) * (3 - scale),
                    "all layers share one entry": torch.cat([pieces[0] * scale, *parts], dim=2),
                }
                what = f"the {name} of layer {layer} after {counted(count, 'call')}"
                expect_close(actual, torch.cat(parts, dim=2), atol=0.0, misses=misses, what=what)
        expect_equal(len(cache), sum((4, 3, 1)[:count]), what=f"the length after {counted(count, 'pass', 'passes')}")


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "Return how many tokens every layer has; in the midst of a pass that is the number before the pass.",
)
def test_the_length_counts_whole_passes(student, draw):
    """While only the first of two layers has the new tokens, the length is still that from before the pass."""
    cache, first, new = student.KVCache(2), draw.normal(2, 3, 4, 5), draw.normal(2, 3, 2, 5)
    for layer in range(2):
        cache.append(layer, first, first)
    keys = cache.append(0, new, new)[0]
    expect_close(keys, torch.cat([first, new], dim=2), atol=0.0, what="the keys of layer 0")
    expect_equal(len(cache), 4, misses={"the first layer alone decides": 6}, what="the length in the midst of a pass")


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "Copies of the keys and values of all tokens read so far, (batch n_heads tokens d_head) in every layer.",
)
def test_a_cache_keeps_copies(student, draw):
    """Writing over a tensor after it was appended changes nothing in the cache."""
    cache, first, new = student.KVCache(1), draw.normal(2, 3, 4, 5), draw.normal(2, 3, 1, 5)
    student.plant(inside).append_and_scribble(cache, 0, first, first)
    overwritten = torch.cat([torch.full_like(first, 1e6), new], dim=2)
    held = cache.append(0, new, new)
    expect(isinstance(held, list | tuple) and len(held) == 2, "append gives (keys, values), a pair.")
    for actual, what in zip(held, ("the keys", "the values"), strict=True):
        expected = torch.cat([first, new], dim=2)
        expect_close(actual, expected, atol=0.0, misses={oracle.ALIAS: overwritten}, what=what)


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "The cached half walks through m06's GPT: `wte`, `wpe`, `h[i].ln_1`, `.attn` (`.c_attn`, `.c_proj`, "
    "`.n_heads`), `.ln_2`, `.mlp`, then `ln_f` and `lm_head`.",
    "The logits are those of the whole text at these positions, however it is cut: 4 + 3 + 1 tokens give what 8 give.",
)
@pytest.mark.parametrize("cuts", [[8], [4, 3, 1], [1] * 8, [2, 6]], ids=["8", "4+3+1", "one_by_one", "2+6"])
def test_logits_with_and_without_a_cache_are_the_same(student, draw, cuts):
    """Read in pieces, a text has the logits that it has when read at once."""
    state, ids, cache = oracle.random_state(draw, SMALL), draw.integers(0, 11, 2, 8), student.KVCache(2)
    model = trusted(student, SMALL, state)
    actual = [student.forward_cached(model, piece, cache) for piece in ids.split(cuts, dim=1)]
    expected = oracle.logits(state, 3, ids, [8])
    misses, start = oracle.logits_misses(state, 3, ids, cuts), 0
    for piece, new in zip(actual, cuts, strict=True):
        end = start + new
        near = {words: (lambda wrong=wrong, at=(start, end): wrong()[:, slice(*at)]) for words, wrong in misses.items()}
        what = f"the logits of tokens {start} to {end - 1}"
        expect_close(piece, expected[:, start:end], atol=oracle.thousandth(expected), misses=near, what=what)
        start = end


@pytest.mark.task("m07.4")
def test_caches_know_nothing_of_each_other(student, draw):
    """Two texts read in turns, each with its own cache, do not mix, and a text read again gives the same logits."""
    state, first, second = oracle.random_state(draw, SMALL), draw.integers(0, 11, 2, 5), draw.integers(0, 11, 2, 5)
    model, caches = trusted(student, SMALL, state), [student.KVCache(2) for _ in range(3)]
    alone, expected = student.KVCache(2), oracle.logits(state, 3, first, [5])
    for start, end in ((0, 3), (3, 5)):
        actual = student.forward_cached(model, first[:, start:end], alone)
        atol = oracle.thousandth(expected)
        expect_close(actual, expected[:, start:end], atol=atol, what="the logits of a text that is read alone")
    for start, end in ((0, 3), (3, 5)):
        for ids, cache in zip((first, second, first), caches, strict=True):
            actual = student.forward_cached(model, ids[:, start:end], cache)
            expected = oracle.logits(state, 3, ids, [5])[:, start:end]
            expect_tensor(actual, shape=tuple(expected.shape), dtype=torch.float32)
            close = torch.allclose(actual, expected, atol=oracle.thousandth(expected))
            message = "The logits of a text change when another is read with another cache."
            expect(close, message, mistake=oracle.LEAK, evidence="value")


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "Call these modules; the one weight to read is `wpe.weight`, a row for each position.",
    "Run a GPT on new tokens alone, which follow those in the cache, and take them in.",
)
def test_only_new_tokens_are_computed(student, draw):
    """Pieces of 4, 3 and 1 tokens embed 4, 3 and 1 tokens."""
    fed: list[list[int]] = []
    state, cache = oracle.random_state(draw, SMALL), student.KVCache(2)
    model = trusted(student, SMALL, state, watch=student.callback(fed.append, asked.list_of(asked.whole)))
    pieces = draw.integers(0, 11, 2, 8).split([4, 3, 1], dim=1)
    for piece in pieces:
        student.forward_cached(model, piece, cache)
    misses = {oracle.BYPASSED: [], oracle.RECOMPUTED: [[2, 4], [2, 7], [2, 8]]}
    expect_equal(fed, [[2, 4], [2, 3], [2, 1]], misses=misses, what="the list of shapes of the ids given to model.wte")


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "The cached half walks through m06's GPT: `wte`, `wpe`, `h[i].ln_1`, `.attn` (`.c_attn`, `.c_proj`, "
    "`.n_heads`), `.ln_2`, `.mlp`, then `ln_f` and `lm_head`.",
    "Call these modules; the one weight to read is `wpe.weight`, a row for each position.",
)
def test_a_pass_calls_the_models_own_parts(student, draw):
    """A pass calls each part of the model as a module, once: what was wrapped around one has its say."""
    model, ids = trusted(student, SMALL, oracle.random_state(draw, SMALL)), draw.integers(0, 11, 2, 5)
    calls = student.plant(inside).called_parts(student.forward_cached, model, ids, student.KVCache(2))
    unused = [name for name, count in calls.items() if count == 0]
    said = f"Called by no pass: {', '.join(map(str, unused))}."
    expect(not unused, said, mistake=oracle.UNCALLED)
    expect_equal(calls, dict.fromkeys(calls, 1), what="the table of how often each part was called")


@pytest.mark.task("m07.4")
@pytest.mark.holds(
    "Raises ValueError, naming the text's length and the number of positions, when it doesn't fit; the cache "
    "then stays.",
)
def test_a_text_past_the_context_is_refused(student, draw):
    """In a context of 16, 5 tokens after 12 raise ValueError naming 17 and 16; then 4 tokens still fit."""
    state, ids, cache = oracle.random_state(draw, SMALL), draw.integers(0, 11, 2, 17), student.KVCache(2)
    model = trusted(student, SMALL, state)
    student.forward_cached(model, ids[:, :12], cache)
    mistake = "a text that is longer than the context is accepted"
    args, fine = (model, ids[:, 12:], cache), (model, ids[:, :2], student.KVCache(2))
    expect_raises("ValueError", student.forward_cached, *args, mentions=("17", "16"), fine=fine, mistake=mistake)
    expect_equal(len(cache), 12, misses={"the cache is filled before the length is checked": 17}, what="the length")
    expected = oracle.logits(state, 3, ids[:, :16], [16])[:, 12:]
    actual = student.forward_cached(model, ids[:, 12:16], cache)
    expect_close(actual, expected, atol=oracle.thousandth(expected), what="the logits of the last 4 that fit")


@pytest.mark.task("m07.4")
@pytest.mark.holds("No graph is built.")
def test_a_cache_holds_no_graph(student, draw):
    """Though the model's weights want gradients, neither the logits nor what is cached hang on a graph."""
    model = trusted(student, SMALL, oracle.random_state(draw, SMALL))
    args = student.forward_cached, model, draw.integers(0, 11, 2, 5), student.KVCache(2)
    found = student.plant(inside).requires_grad(*args)
    graph = {"the pass builds a graph: torch.no_grad() is missing": dict.fromkeys(found, True)}
    graph["the logits hang on a graph: torch.no_grad() ends too early"] = {"the logits": True, "what is cached": False}
    expect_equal(found, {"the logits": False, "what is cached": False}, misses=graph, what="what requires gradients")


@pytest.mark.task("m07.4")
@pytest.mark.warm("torch._dynamo")
def test_a_pass_runs_where_the_model_is(student, draw):
    """With model and ids on another device, positions and mask are made there too."""
    model = trusted(student, SMALL, oracle.random_state(draw, SMALL))
    ids = draw.integers(0, 11, 2, 5)
    expect_tensor(student.forward_cached(model, ids, student.KVCache(2)), shape=(2, 5, 11), dtype=torch.float32)
    found = student.plant(inside).mix_up(student.forward_cached, model, ids, student.KVCache(2))
    expect(found == "", f"On another device: {found}", mistake=oracle.ELSEWHERE)


@pytest.mark.task("m07.5")
def test_the_cached_text_is_that_of_transformers(student, draw, weights, data):
    """With a checkpoint's weights, greedy text with a stop token equals what transformers' generate writes, twice."""
    story = oracle.Story(draw, weights, data)
    prompt, text = story.prompt(draw, 3, 8, 16)
    stop = int(text[0, 13])
    model, misses = trusted(student, story.sizes, story.state), story.misses(prompt, text, stop)
    first, again = (student.generate_cached(model, prompt, 16, temperature=0, stop_tokens=[stop]) for _ in range(2))
    expected = story.hugging_face(prompt, 16, stop)
    expect_equal(first, expected, misses=misses, what="the text")
    expect_equal(again, expected, misses={oracle.LEAK: again}, what="the text of the same prompt, written again,")


@pytest.mark.task("m07.5")
@pytest.mark.holds(
    "Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.",
)
def test_after_the_prompt_each_step_reads_one_token(student, draw):
    """A prompt of 5 tokens and 9 new ones embed 5 tokens, then 1 in each further step."""
    fed: list[list[int]] = []
    state = oracle.random_state(draw, SMALL)
    prompt, text = oracle.clear_prompt(draw, oracle.trusted(SMALL, state), 2, 5, 9)
    model = trusted(student, SMALL, state, watch=student.callback(fed.append, asked.list_of(asked.whole)))
    expect_equal(student.generate_cached(model, prompt, 9, temperature=0), text, what="the text")
    misses = {oracle.BYPASSED: [], oracle.RECOMPUTED: [[2, seq] for seq in range(5, 14)]}
    if fed[-1:] == [[2, 1]] and len(fed) == 10:
        fed.pop()  # the very last token needs no reading, and may be read
    expect_equal(fed, [[2, 5], *[[2, 1]] * 8], misses=misses, what="the list of shapes of the ids given to model.wte")


@pytest.mark.task("m07.5")
def test_a_step_costs_much_less_than_the_text(student, draw):
    """A prompt of 768 tokens with 32 new ones takes little more processor time than with a single one."""
    sizes = {"vocab_size": 50, "context_length": 800, "d_model": 128, "n_layers": 2, "n_heads": 4}
    state = oracle.random_state(draw, sizes)
    model, own = trusted(student, sizes, state), oracle.trusted(sizes, state)

    def cost(prompt, steps, times=1):
        before = student.cpu_seconds()
        for _ in range(times):
            text = student.generate_cached(model, prompt, steps, temperature=0)
            expect_tensor(text, shape=(1, 768 + steps), dtype=torch.int64)
        return max(student.cpu_seconds() - before, 0.01) / times, text

    def ratio():
        prompt = draw.integers(0, 50, 1, 768)
        one, _ = cost(prompt, 1, times=2)
        # Reading the prompt by a model of ours bounds the measure of it, which a submission could stretch.
        spent = []
        for _ in range(3):
            started = time.process_time()
            oracle.greedy(own, prompt, 1)
            spent.append(max(time.process_time() - started, 0.005))
        many, text = cost(prompt, 32)
        # What was measured must have been the work: each new token is the likeliest, or as good as.
        expect_equal(text[:, :768], prompt, what="the beginning of the text")
        with torch.no_grad():
            logits = own(text[:, :-1])[:, -32:]
        lacking = logits.amax(-1) - logits.gather(-1, text[:, -32:, None].clamp(0, 49))[..., 0]
        worst = float(lacking.max())
        expect(worst < 1e-3, f"A new token's logit is {worst:.3g} below the largest at its place.", evidence="value")
        return many / min(one, 3 * min(spent))

    message = "32 new tokens took {ratio:.0f} times the processor time of one (with a cache: about 2, allowed: 10)."
    expect_ratio(ratio, below=10, message=message, mistake=oracle.RECOMPUTED)


@pytest.mark.task("m07.5")
@pytest.mark.holds(
    "Once the text is longer than context_length its window moves, every token in it gets another position, "
    "and nothing that was cached is true any more: from there on each step reads the last context_length "
    "tokens anew.",
)
def test_past_the_context_the_text_goes_on_as_without_a_cache(student, draw):
    """With a context of 8, prompts of 5, 8 and 11 tokens go on for 7 more, as the model does on its last 8 tokens."""
    sizes = SMALL | {"context_length": 8}
    state = oracle.random_state(draw, sizes)
    model, own = trusted(student, sizes, state), oracle.trusted(sizes, state)
    for seq in (5, 8, 11):
        prompt, text = oracle.clear_prompt(draw, own, 3, seq, 7, context_length=8)
        actual = student.generate_cached(model, prompt, 7, context_length=8, temperature=0)
        # Right as long as the window stands still, and wrong from there on.
        still, good = max(seq, 8) + 1, type(actual) is torch.Tensor and actual.shape == text.shape
        late = {oracle.LATE_WINDOW: actual} if good and torch.equal(actual[:, :still], text[:, :still]) else {}
        expect_equal(actual, text, misses=late, what=f"the text after {counted(seq, 'token')}")


@pytest.mark.task("m07.5")
@pytest.mark.holds(
    "Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.",
)
def test_the_cached_text_stops_pads_and_rests_as_the_other(student, draw):
    """Stop tokens, padding, eval mode, restored modes and the empty prompt are as in generate."""
    state, tools = oracle.random_state(draw, SMALL), student.plant(inside)
    prompt, text = oracle.clear_prompt(draw, oracle.trusted(SMALL, state), 4, 5, 9)
    stops, model = [int(text[1, 7]), int(text[2, 9])], trusted(student, SMALL, state, dropout=0.5)
    model.train()
    model.h[0].eval()
    before = tools.modes(model)
    actual = student.generate_cached(model, prompt, 9, temperature=0, stop_tokens=stops, pad_id=4)
    misses = oracle.stop_misses(text, 5, stops, 4)
    twice = [student.generate_cached(model, prompt, 9, temperature=0) for _ in range(2)]
    if all(type(one) is torch.Tensor for one in twice) and not torch.equal(*twice):
        misses[oracle.TRAINING] = actual  # at temperature 0 nothing else leaves anything to chance
    expect_equal(actual, oracle.stopped(text, 5, stops, 4), misses=misses, what="the text")
    expect(tools.modes(model) == before, "The modes are not what they were.", mistake=oracle.NOT_ALL_RESTORED)
    expect_raises("ValueError", student.generate_cached, model, prompt[:, :0], 3)


@pytest.mark.task("m07.5")
@pytest.mark.holds(
    "Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.",
)
def test_sampling_with_a_cache_has_the_distribution_asked_for(student, draw):
    """In 4,000 texts from one prompt, pairs of new tokens are as frequent as the model's distributions say."""
    state, settings = oracle.random_state(draw, SPOKEN), {"temperature": 0.5, "top_k": 4}
    prompt = draw.integers(0, 5, 1, 3)
    model = trusted(student, SPOKEN, state)
    text = student.generate_cached(model, prompt.repeat(4000, 1), 2, **settings)
    expect_tensor(text, shape=(4000, 5), dtype=torch.int64)
    expected = oracle.pairs(state, prompt, **settings)
    misses = {
        "the temperature is not handed on": oracle.pairs(state, prompt, top_k=4),
        "top_k is not handed on": oracle.pairs(state, prompt, temperature=0.5),
        "the likeliest token is always taken": oracle.pairs(state, prompt, temperature=0.0),
    }
    drawing.expect_frequencies(5 * text[:, 3] + text[:, 4], expected, "pairs (5 * one + the next)", misses)


@pytest.mark.task("m07.5")
@pytest.mark.holds(
    "Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.",
)
def test_an_equal_generator_writes_an_equal_cached_text(student, draw):
    """With a cache too, two generators with one seed give the same sampled text, and torch's own stays untouched."""
    tools, model = student.plant(inside), trusted(student, SPOKEN, oracle.random_state(draw, SPOKEN))
    prompt = draw.integers(0, 5, 200, 3)
    before = tools.dice()
    first, second = (student.generate_cached(model, prompt, 3, generator=tools.generator(5)) for _ in range(2))
    expect_tensor(first, shape=(200, 6), dtype=torch.int64)
    misses = {} if torch.equal(before, tools.dice()) else {oracle.OWN_DICE: second}
    expect_equal(second, first, misses=misses, what="the second text")
    expect(torch.equal(before, tools.dice()), "torch's own generator was used or seeded.", mistake=oracle.OWN_DICE)
    other = student.generate_cached(model, prompt, 3, generator=tools.generator(6))
    expect(not torch.equal(first, other), "Two seeds write one text: nothing is drawn.", evidence="value")


@pytest.mark.task("m07.5")
@pytest.mark.holds(
    "Do what generate does, by the same keywords, with a cache: read the prompt once, then one token each step.",
)
def test_top_p_holds_with_a_cache_too(student, draw):
    """In 4,000 texts from one prompt, the new token is as frequent as the distribution cut at top_p says."""
    state, prompt = oracle.random_state(draw, SPOKEN), draw.integers(0, 5, 1, 3)
    logits = oracle.logits(state, 3, prompt, [3])[:, -1]
    top_p = drawing.clear_top_p(logits, 1.0, None, 0.3, 0.8)
    text = student.generate_cached(trusted(student, SPOKEN, state), prompt.repeat(4000, 1), 1, top_p=top_p)
    expect_tensor(text, shape=(4000, 4), dtype=torch.int64)
    misses = {"top_p is not handed on": drawing.distribution(logits)[0]}
    expected = drawing.distribution(logits, 1.0, None, top_p)[0]
    drawing.expect_frequencies(text[:, 3], expected, "new tokens", misses)
