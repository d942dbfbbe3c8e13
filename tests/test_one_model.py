"""The solutions put together, from raw text to a service: each system of the course works on what others have made."""

from __future__ import annotations

import copy
import importlib
import itertools
import json
from typing import Any

import numpy as np
import pytest
import support
import torch
import torch.nn.functional as F

import fixtures
from fixtures import END_OF_TEXT
from grader.suites.shared import ranks

WINDOW, ROWS = 32, 8
SIZES = {"context_length": 128, "d_model": 32, "n_layers": 2, "n_heads": 2}
PEAK = 1e-2


def solution(number: str) -> Any:
    """Return a milestone's solution."""
    (path,) = (support.REPOSITORY / "solutions").glob(f"{number}_*.py")
    return importlib.import_module(f"solutions.{path.stem}")


@pytest.fixture(scope="module")
def stories() -> list[str]:
    """Some stories, each a document."""
    return fixtures.STORIES_TRAIN.read_text(encoding="utf-8")[:30_000].split(END_OF_TEXT)[:-1]


@pytest.fixture(scope="module")
def tokenizer(stories):
    """A tokenizer that was trained on them."""
    m01 = solution("m01")
    return m01.Tokenizer(*m01.train_bpe(END_OF_TEXT.join(stories), 400, [END_OF_TEXT]), [END_OF_TEXT])


@pytest.fixture(scope="module")
def data(stories, tokenizer, tmp_path_factory):
    """A function that gives batches from a file of ids, and held-out batches."""
    m02 = solution("m02")
    training, held_out, _ = m02.split(stories, (0.9, 0.1, 0.0), seed=0)
    path = tmp_path_factory.mktemp("data") / "ids.bin"
    ids = tokenizer.encode_iterable(f"{story}{END_OF_TEXT}" for story in training)
    np.array(list(ids), dtype="uint16").tofile(path)
    windows = m02.NextTokenDataset(tokenizer.encode(END_OF_TEXT.join(held_out)), WINDOW, stride=WINDOW)

    def batches():
        generator = torch.Generator().manual_seed(0)
        while True:
            yield m02.get_batch(str(path), "uint16", ROWS, WINDOW, generator)

    return batches, list(m02.ShufflingLoader(windows, batch_size=ROWS))


def made(tokenizer, seed=0):
    """A GPT for this tokenizer."""
    m06 = solution("m06")
    torch.manual_seed(seed)
    gpt = m06.GPT(m06.GPTConfig(vocab_size=len(tokenizer.vocab), **SIZES))
    m06.init_weights(gpt)
    return gpt


def trained(gpt, batches, steps, start=0, optimizer=None, skip=0):
    """Train as m08 does."""
    m08 = solution("m08")
    optimizer = optimizer or m08.AdamW(m08.decay_groups(gpt, 0.1), lr=PEAK)
    schedule = lambda step: m08.learning_rate(step, peak=PEAK, floor=PEAK / 10, warmup=5, total=40)  # noqa: E731
    source = itertools.islice(batches(), skip, None)
    m08.train(gpt, optimizer, lambda: next(source), steps=steps, start=start, schedule=schedule)
    return optimizer


@pytest.fixture(scope="module")
def gpt(tokenizer, data):
    """A GPT that has learned."""
    model = made(tokenizer)
    trained(model, data[0], 40)
    return model.eval()


def heldout(model, data):
    """The mean loss of a token that it has not seen."""
    return solution("m08").evaluate(model, data[1])


def test_a_gpt_learns_and_goes_on_from_its_checkpoint(tokenizer, data, gpt, tmp_path):
    """It predicts new stories better than its start did; stopped halfway and resumed, it ends with the same weights."""
    m08 = solution("m08")
    first = made(tokenizer)
    before = heldout(first, data)
    optimizer = trained(first, data[0], 20)
    m08.save_checkpoint(tmp_path / "half.pt", first, optimizer, 20)

    second = made(tokenizer, seed=1)
    optimizer = m08.AdamW(m08.decay_groups(second, 0.1), lr=PEAK)
    step = m08.load_checkpoint(tmp_path / "half.pt", second, optimizer)
    trained(second, data[0], 40 - step, step, optimizer, skip=step)

    assert heldout(gpt, data) < before - 1
    for name, value in gpt.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value)


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
def test_it_is_trained_by_two_processes(tokenizer, data, half):
    """Two ranks with a sharded AdamW and recomputed blocks learn what one process learns, in half precision as well."""
    m06, m09 = solution("m06"), solution("m09")

    def loss(model, x, targets):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return m06.next_token_loss(model(x).float(), targets)

    def work(group):
        model = made(tokenizer, seed=group.rank)  # rank 1 begins elsewhere: share_start sees to that
        m09.share_start(model, group)
        for block in model.h:
            block.forward = lambda x, *rest, run=block.forward: m09.checkpoint(run, x, *rest)
        optimizer = m09.ShardedAdamW(model.parameters(), group, lr=PEAK / 2, eps=1e-3, weight_decay=0.0)
        losses = []
        for x, targets in itertools.islice(data[0](), 12):
            own = m09.shard(len(x), group.rank, group.world)
            rows = slice(own.start, own.stop)
            losses.append(m09.data_parallel_step(model, loss, x[rows], targets[rows], optimizer, group, 1.0))
        return losses

    (alone,), (first, second) = ranks.ranks(1, work), ranks.ranks(2, work)
    assert first == second
    assert first == pytest.approx(alone, abs=0.1 if half else 1e-3)
    assert first[-1] < first[0] - 0.5


def test_a_loss_is_scaled_for_float16(tokenizer, data):
    """A scaler leaves an overflow out, and the steps that it takes are those without a scale."""
    m09, (x, targets) = solution("m09"), next(data[0]())
    plain, scaled = made(tokenizer), made(tokenizer)
    scaler = m09.LossScaler(init_scale=2.0**200, backoff_factor=2.0**-190)
    optimizer = torch.optim.SGD(scaled.parameters(), lr=0.1)
    taken = []
    for _ in range(2):
        optimizer.zero_grad()
        (F.cross_entropy(scaled(x).flatten(0, 1), targets.flatten()) * scaler.scale).backward()
        scaler.unscale_(scaled.parameters())
        taken.append(scaler.step(optimizer))
        scaler.update()
    F.cross_entropy(plain(x).flatten(0, 1), targets.flatten()).backward()
    torch.optim.SGD(plain.parameters(), lr=0.1).step()

    assert taken == [False, True]
    for one, other in zip(plain.parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(other, one)


def test_it_writes(tokenizer, gpt):
    """A cache changes nothing of what it writes, which is what its tokens say."""
    m07, ids = solution("m07"), torch.tensor([tokenizer.encode("Once there was a")])
    settings = {"context_length": SIZES["context_length"], "temperature": 0.0}
    text = tokenizer.decode(m07.generate_cached(gpt, ids, 20, **settings)[0].tolist())

    assert text == tokenizer.decode(m07.generate(gpt, ids, 20, **settings)[0].tolist())
    assert text.startswith("Once there was a") and len(tokenizer.encode(text)) > ids.shape[1]


# ── made of the trained model ─────────────────────────────────────────────────────────────────────────────────────────


def steps(model, losses, lr=5e-3):
    """Take a step of m08's AdamW on each loss that comes, and return all losses."""
    optimizer = solution("m08").AdamW([param for param in model.parameters() if param.requires_grad], lr=lr)
    found = []
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def test_it_is_tuned_to_instructions(tokenizer, gpt):
    """Fine-tuned on completions alone, it knows these better, and keeps its best epoch."""
    m10, tuned = solution("m10"), copy.deepcopy(gpt)
    (end,) = tokenizer.encode(END_OF_TEXT)
    lines = fixtures.INSTRUCTIONS_TRAIN.read_text(encoding="utf-8").splitlines()[:12]
    pairs = [m10.format_example(json.loads(line)) for line in lines]
    examples = [m10.encode_example(tokenizer.encode, *pair, end) for pair in pairs]
    fitting = [example for example in examples if len(example[0]) <= SIZES["context_length"]]
    ids, labels, _ = m10.collate(fitting, end)

    def loss():
        return m10.masked_loss(tuned(ids), labels)

    before = loss().item()
    history = m10.fit(tuned, lambda: steps(tuned, [loss()])[0], lambda: loss().item(), epochs=6, patience=2)
    assert len(fitting) >= 4 and history[-1][1] < before - 0.5
    assert loss().item() == pytest.approx(min(held for _, held in history), abs=1e-5)


def test_an_adapter_learns_beside_it_and_is_merged(gpt, data):
    """LoRA's few numbers learn while all others rest, fit into a file of their own, and merge without a trace."""
    m06, m11, adapted = solution("m06"), solution("m11"), copy.deepcopy(gpt)
    x, targets = next(data[0]())
    names = m11.inject_lora(adapted, ["c_attn", "c_proj"], rank=4, alpha=8.0)
    m11.freeze_base(adapted)
    losses = steps(adapted.train(), (m06.next_token_loss(adapted(x), targets) for _ in range(20)), lr=1e-2)
    state = {name: value.clone() for name, value in m11.lora_state_dict(adapted).items()}
    after = adapted.eval()(x)

    again = copy.deepcopy(gpt)
    m11.inject_lora(again, ["c_attn", "c_proj"], rank=4, alpha=8.0)
    m11.load_lora(again, state)
    for module in map(again.get_submodule, names):
        module.merge()
    assert len(names) == 3 * SIZES["n_layers"] and losses[-1] < losses[0] - 0.05
    torch.testing.assert_close(again.eval()(x), after, atol=1e-4, rtol=1e-4)


def test_it_gets_smaller(gpt, data):
    """In int8 it takes a fraction of the bytes; a third of its weights can go; either costs little."""
    m06, m13, m14, before = solution("m06"), solution("m13"), solution("m14"), heldout(gpt, data)
    quantized = copy.deepcopy(gpt)
    m13.quantize_model(quantized)
    assert m13.stored_bytes(quantized) < m13.stored_bytes(gpt) * 0.6
    assert heldout(quantized, data) == pytest.approx(before, abs=0.05)

    pruned = copy.deepcopy(gpt)
    masks = m14.global_masks(m14.linear_weights(pruned), 0.33)
    optimizer = torch.optim.AdamW(pruned.parameters(), lr=1e-3)
    m14.finetune(
        pruned, masks, itertools.islice(data[0](), 5),
        lambda model, batch: m06.next_token_loss(model(batch[0]), batch[1]), optimizer,
    )  # fmt: skip
    parameters = dict(pruned.named_parameters())
    gone = sum(int((parameters[name] == 0).sum()) for name in masks) / sum(mask.numel() for mask in masks.values())
    assert gone == pytest.approx(0.33, abs=0.01)
    assert heldout(pruned, data) < before + 0.3


def test_it_is_saved_in_a_library_and_opened_by_name(tokenizer, gpt, tmp_path):
    """Its weights lie in a safetensors file that the real library reads; opened again it writes the same."""
    from safetensors.torch import load_file

    m06, m07, m19 = solution("m06"), solution("m07"), solution("m19")

    class Settings(m19.Config):
        model_type = "one-model"
        sizes: dict[str, int] = {}  # noqa: RUF012 - as m19 wants it

    @m19.register
    class Kept(m19.PretrainedModel):
        config_class = Settings

        def __init__(self, config):
            super().__init__(config)
            self.gpt = m06.GPT(m06.GPTConfig(**config.sizes))

        def forward(self, ids):
            return self.gpt(ids)

    model = Kept(Settings(sizes={"vocab_size": len(tokenizer.vocab), **SIZES}))
    model.gpt.load_state_dict(gpt.state_dict())
    model.save_pretrained(tmp_path)
    opened = m19.auto_model(tmp_path)

    torch.testing.assert_close(load_file(tmp_path / "model.safetensors")["gpt.wpe.weight"], gpt.wpe.weight.detach())
    write = m19.TextGeneration(opened, tokenizer.encode, tokenizer.decode, m07.generate)
    ids = torch.tensor([tokenizer.encode("Once")])
    settings = {"context_length": SIZES["context_length"], "temperature": 0.0}
    assert write("Once", 8, **settings) == tokenizer.decode(m07.generate(gpt, ids, 8, **settings)[0].tolist())


def writer(gpt):
    """Return a function that gives one token after the other, as a service wants them."""
    m07 = solution("m07")

    def generate(ids, max_tokens, temperature, top_p):
        for _ in range(max_tokens):
            settings = {"context_length": SIZES["context_length"], "temperature": temperature, "top_p": top_p}
            ids = m07.generate_cached(gpt, torch.tensor([ids]), 1, **settings)[0].tolist()
            yield ids[-1]

    return generate


def test_it_is_served(tokenizer, gpt):
    """A client of the service, streaming or not, and a chat page get what the model writes; the Docker file runs it."""
    from starlette.testclient import TestClient

    m07, m20 = solution("m07"), solution("m20")
    client = TestClient(m20.create_app(writer(gpt), tokenizer, context_length=SIZES["context_length"]))
    asked = {"model": "scratchwork", "prompt": "Once there", "max_tokens": 6, "temperature": 0}
    ids = torch.tensor([tokenizer.encode("Once there")])
    expected = tokenizer.decode(m07.generate(gpt, ids, 6, temperature=0.0)[0, ids.shape[1] :].tolist())

    whole = client.post("/v1/completions", json=asked).json()
    streamed = client.post("/v1/completions", json=asked | {"stream": True}).text
    lines = [line.removeprefix("data: ") for line in streamed.splitlines() if line]
    pieces = [json.loads(line)["choices"][0]["text"] for line in lines[:-1]]
    assert whole["choices"][0]["text"] == expected == "".join(pieces)
    assert lines[-1] == "[DONE]" and whole["usage"]["completion_tokens"] == 6

    said = list(m20.create_chat(writer(gpt), tokenizer, max_tokens=4, temperature=0.0)("Hi", []))
    assert said and all(later.startswith(sooner) for sooner, later in itertools.pairwise(said))
    assert '"uvicorn"' in m20.dockerfile("service:app", 8000)


# ── beside it ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_llama_learns_and_writes_by_the_same_parts(tokenizer, data):
    """m08 trains it, m07 writes with it, and its cache is m07's."""
    m07, m08, m15 = solution("m07"), solution("m08"), solution("m15")
    torch.manual_seed(0)
    sizes = {"d_model": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "d_ff": 64}
    llama = m15.Llama(m15.LlamaConfig(vocab_size=len(tokenizer.vocab), **sizes))
    before, source = heldout(llama, data), data[0]()
    m08.train(llama, m08.AdamW(m08.decay_groups(llama, 0.1), lr=PEAK), lambda: next(source), steps=15)

    assert heldout(llama.eval(), data) < before - 0.5
    ids = m07.generate(llama, torch.tensor([tokenizer.encode("Once there was")]), 6, temperature=0.0)
    cache = m07.KVCache(sizes["n_layers"])
    with torch.no_grad():
        scores = [m15.forward_cached(llama, part, cache) for part in ids.split([3, ids.shape[1] - 3], dim=1)]
        torch.testing.assert_close(torch.cat(scores, dim=1), llama(ids), atol=1e-4, rtol=1e-4)


def test_a_bert_learns_what_was_hidden(tokenizer, data):
    """Pairs with hidden tokens teach it both, and it gives back a score for each gap."""
    m16, generator = solution("m16"), torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    size, special = len(tokenizer.vocab), torch.tensor([False])
    bert = m16.Bert(vocab_size=size + 1, context_length=WINDOW, d_model=32, n_layers=1, n_heads=2, d_ff=64)

    def losses(count):
        for x, _ in itertools.islice(data[0](), count):
            inputs, labels = m16.mask_tokens(x, special.expand_as(x), size, size, generator)
            follows = torch.arange(len(x)) % 2
            types = (torch.arange(WINDOW) >= WINDOW // 2).long().expand_as(x)
            yield m16.pretraining_loss(bert.scores(*bert(inputs, types)), labels, follows)

    found = steps(bert, losses(25), lr=PEAK)
    assert sum(found[-5:]) / 5 < sum(found[:3]) / 3 - 0.5


def test_an_answer_has_sources():
    """A question is answered from the guides' passages, with one search and one text, and refused without a source."""
    m17, m18 = solution("m17"), solution("m18")
    guide = (support.REPOSITORY / "exercises" / "m04_attention.md").read_text(encoding="utf-8")
    passages = [part.text for part in m17.chunk(guide, 400, 50)]
    index = m17.BM25(passages)

    def retrieve(question, k):
        return [passages[place] for place, _ in index.search(question, k)]

    def words(text):
        return len(text.split())

    def quote(prompt):
        return f'"{prompt.partition("[1]")[2].split()[0]}" [1].'

    question = "Why is the mask causal?"
    found, passed = m18.answer(question, retrieve, quote, k=3, budget=400, count=words), retrieve(question, 3)
    assert found.sources == [0] and "mask" in passed[0].lower()
    assert [right for *_, right in m18.check_quotes(found.text, passed)] == [True]
    nothing = m18.answer("?", lambda *_: [], quote, k=3, budget=400, count=len)
    assert nothing == m18.Answer(m18.REFUSAL, [])
