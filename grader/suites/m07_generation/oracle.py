"""The reference for m07_generation: texts, and logits in float64, with a switch for every mistake."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from grader.judge import expect
from grader.judge.probes import model as gpt

from .oracle_drawing import distribution

Misses = dict[str, Callable[[], Tensor]]

IN_PLACE = "the logits are changed in place (an operation whose name ends in _, or /=)"
ELSEWHERE = "a tensor is made on the default device instead of on the device of the input"
LEAK = "the cache is kept between calls, or shared by all caches: a default argument, a class attribute or a global"
SAME_TENSOR = "with no token to append the prompt itself is returned: clone it first"
ALIAS = "the cache holds the caller's own tensors: clone what it is given first"
TRAINING = "the model is not put into eval mode"
NOT_RESTORED = "the old mode is not restored: remember it before eval()"
NOT_ALL_RESTORED = (
    "train() wakes all parts of the model, those as well that were in eval mode: restore module by module"
)
RAISED = "the old mode is not restored when the model raises: that is what finally is for"
GRAPH = "the model runs with gradients: torch.no_grad() is missing"
BYPASSED = "ids are looked up without calling model.wte, so the tokens could not be counted"
RECOMPUTED = "the whole text is fed again at each step: with a cache only the new token is"
LATE_WINDOW = "the cache is used on after the window has moved: its keys belong to other positions"
TOGETHER = "rows stop only when all rows stop in the same step: each stops by itself, and the loop when all have"
WOKEN = "a row that has stopped goes on later: what has stopped once stays stopped"
PADDED_WITH_0 = "without a pad_id rows are filled with 0 instead of the first stop token"
OTHER_STOPS = [
    f"without a pad_id rows are filled with another one than the first stop token ({which})"
    for which in ("one in the midst", "the largest")
]
LONELY = "only the last token of the prompt is read: the first pass takes the whole prompt"
UNCALLED = "a part's weights are read, and the part itself is not called"
OWN_DICE = "the generator is not used"


# ── texts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Script:
    """A language model decided by the judge: after token t, table[t] is likeliest; it writes down what it was fed."""

    def __init__(self, table: Tensor, fails_at: int | None = None) -> None:
        self.table, self.fails_at = table, fails_at
        self.fed: list[Tensor] = []
        self.modes: list[Any] = []
        self.with_grad: list[Any] = []

    def __call__(self, ids: Any, modes: Any, with_grad: Any) -> Tensor:
        """Answer ids (batch seq) with logits, whole numbers that every float holds."""
        expect(type(ids) is Tensor and ids.dim() == 2, "The model was not given ids of shape (batch, seq).")
        expect(ids.dtype == torch.int64, f"The model was given {ids.dtype}, expected torch.int64.")
        inside = bool(((ids >= 0) & (ids < len(self.table))).all())
        expect(inside, "The model was given an id outside of its vocabulary.")
        self.fed.append(ids)
        self.modes.append(modes)
        self.with_grad.append(with_grad)
        if self.fails_at == len(self.fed):
            raise ValueError("this model raises")
        return 8.0 * F.one_hot(self.table[ids], len(self.table)).float()


def chain(table: Tensor, prompt: Tensor, steps: int) -> Tensor:
    """Continue each row by the table."""
    text = prompt
    for _ in range(steps):
        text = torch.cat([text, table[text[:, -1:]]], dim=1)
    return text


def cycle(draw: Any, size: int) -> Tensor:
    """Draw a table that leads through all tokens in a circle: no text repeats itself before its size."""
    order = draw.permutation(size)
    return torch.zeros(size, dtype=torch.int64).index_copy(0, order, order.roll(-1))


def stopped(text: Tensor, seq: int, stops: Sequence[int], pad: int, *, keep: bool = True) -> Tensor:
    """End each row at its first new stop token, fill up, and cut where all rows have ended."""
    rows = []
    for row in text.tolist():
        ends = [at for at in range(seq, len(row)) if row[at] in stops]
        rows.append(row[: ends[0] + keep] if ends else row)
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


def looped(table: Tensor, prompt: Tensor, steps: int, stops: Sequence[int], pad: int, how: str) -> Tensor:
    """Continue by the table, and stop as a loop does that mistakes when: all "together", or each "for once" only."""
    text, running, ends = prompt, torch.ones(len(prompt), dtype=torch.bool), torch.tensor(stops)
    for _ in range(steps):
        if not bool(running.any()):
            break
        new = torch.where(running, table[text[:, -1]], pad)
        text, stopping = torch.cat([text, new[:, None]], dim=1), torch.isin(new, ends)
        running = ~stopping if how == "for once" else running & ~stopping.all()
    return text


def _idle(text: Tensor, seq: int, stops: Sequence[int], pad: int) -> Tensor:
    """End rows as `stopped` does, and those whose prompt holds a stop token before their first new one."""
    idle = torch.isin(text[:, :seq], torch.tensor(stops)).any(1)
    rows = [
        stopped(row[None, : seq if none else None], seq, stops, pad)[0]
        for row, none in zip(text, idle.tolist(), strict=True)
    ]
    longest = max(map(len, rows))
    return torch.cat([_as_long(row[None], longest, pad) for row in rows])


def _as_long(text: Tensor, length: int, pad: int) -> Tensor:
    return F.pad(text, (0, max(length - text.shape[1], 0)), value=pad)


def stop_misses(text: Tensor, seq: int, stops: Sequence[int], pad: int) -> dict[str, Tensor]:
    """End rows as the classic mistakes do."""
    right = stopped(text, seq, stops, pad)
    new = text[:, seq:]
    first = next((at for at in range(new.shape[1]) if any(int(token) in stops for token in new[:, at])), 0)
    return {
        "the stop tokens are not looked at": text,
        "everything ends when the first row has stopped: rows stop one by one": text[:, : seq + first + 1],
        "rows that have stopped are not padded": text[:, : right.shape[1]],
        "a stop token in the prompt ends its row: only new tokens count": stopped(text, 0, stops, pad),
        "rows whose prompt holds a stop token never begin: only new tokens count": _idle(text, seq, stops, pad),
        "the stop token itself is replaced by the padding": _as_long(
            stopped(text, seq, stops, pad, keep=False), right.shape[1], pad
        ),
        "the loop goes on after every row has stopped": torch.cat(
            [right, torch.full((len(text), text.shape[1] - right.shape[1]), pad)], dim=1
        ),
        "only the first of several stop tokens is looked at": stopped(text, seq, stops[:1], pad),
        PADDED_WITH_0: stopped(text, seq, stops, 0),
    }


# ── logits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def random_state(draw: Any, sizes: dict[str, int]) -> dict[str, Tensor]:
    """Draw weights for the trusted model: random gains and biases too, and scores that matter."""
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in gpt.LanguageModel(**sizes).state_dict().items()}
    state = {}
    for name, shape in shapes.items():
        if name != "lm_head.weight":
            scale = 0.3 if len(shape) == 1 else 1.0 if name.startswith("w") else 1.3 * shape[1] ** -0.5
            state[name] = draw.normal(*shape, scale=scale) + (1.0 if "ln_" in name and "weight" in name else 0.0)
    return state


def logits(
    state: dict[str, Tensor],
    n_heads: int,
    ids: Tensor,
    cuts: Sequence[int],
    *,
    restart: bool = False,
    mask: str = "right",
    forget: bool = False,
    ahead: bool = False,
) -> Tensor:
    """Run a GPT in float64 on pieces of these lengths, with a cache; the switches make the mistakes."""
    w = {name: value.double() for name, value in state.items()}
    n_layers = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("h."))
    held: list[tuple[Tensor, Tensor] | None] = [None] * n_layers
    outputs, start = [], 0
    for piece in ids.split(list(cuts), dim=1):
        new = piece.shape[1]
        first = 0 if restart else start + (ahead and start > 0)
        x = w["wte.weight"][piece] + w["wpe.weight"][first : first + new]
        for n in range(n_layers):

            def part(name: str, x: Tensor, n: int = n) -> Tensor:
                weight, bias = w[f"h.{n}.{name}.weight"], w[f"h.{n}.{name}.bias"]
                return F.layer_norm(x, weight.shape, weight, bias) if "ln_" in name else x @ weight.T + bias

            q, k, v = part("attn.c_attn", part("ln_1", x)).unflatten(-1, (3, n_heads, -1)).permute(2, 0, 3, 1, 4)
            old = held[n]
            if old is not None and not forget:
                k = torch.cat([old[0], k], dim=2)
                v = torch.cat([old[1], v], dim=2)
            held[n] = k, v
            scores = q @ k.mT / q.shape[-1] ** 0.5
            seen = torch.ones(scores.shape[-2:], dtype=torch.bool)
            if mask != "none" and (mask != "first" or not start):
                seen = seen.tril(k.shape[2] - new if mask != "square" else 0)
            mixed = torch.softmax(scores.masked_fill(~seen, -math.inf), -1) @ v
            x = x + part("attn.c_proj", mixed.permute(0, 2, 1, 3).flatten(2))
            x = x + part("mlp.c_proj", F.gelu(part("mlp.c_fc", part("ln_2", x)), approximate="tanh"))
        x = F.layer_norm(x, x.shape[-1:], w["ln_f.weight"], w["ln_f.bias"])
        outputs.append(x @ w["wte.weight"].T)
        start += new
    return torch.cat(outputs, dim=1).float()


def logits_misses(state: dict[str, Tensor], n_heads: int, ids: Tensor, cuts: Sequence[int]) -> Misses:
    """Compute what the classic mistakes give for the same pieces."""
    run = functools.partial(logits, state, n_heads, ids, cuts)
    return {
        "the positions begin at 0 again with every piece: they go on after the cached tokens": lambda: run(
            restart=True
        ),
        "the mask of a piece is no square: token i of it also sees all cached tokens (tril with an offset)": lambda: (
            run(mask="square")
        ),
        "no mask is applied: within a piece no token sees a later one": lambda: run(mask="none"),
        "no mask is applied once something is cached: within a piece no token sees a later one": lambda: run(
            mask="first"
        ),
        "new tokens stand one place too far: the first one's position is the number of cached tokens": lambda: run(
            ahead=True
        ),
        "the cached keys and values are not used": lambda: run(forget=True),
    }


def thousandth(expected: Tensor) -> float:
    """Return an atol for logits: their size, and so that of rounding, differs by the weights that were drawn."""
    return 1e-3 * float(expected.abs().median())


def pairs(state: dict[str, Tensor], prompt: Tensor, **settings: Any) -> Tensor:
    """Return the probabilities of two tokens after one prompt, the second within the first, in a model of 3 heads."""
    vocab_size = len(state["wte.weight"])
    longer = torch.cat([prompt.repeat(vocab_size, 1), torch.arange(vocab_size)[:, None]], dim=1)
    seen = logits(state, 3, longer, [longer.shape[1]])
    first = distribution(seen[:1, -2], **settings)
    return (first.T * distribution(seen[:, -1], **settings)).flatten()


def trusted(sizes: dict[str, int], state: dict[str, Tensor]) -> Any:
    """Return the judge's own model."""
    return gpt.build(sizes, state)


@torch.no_grad()
def greedy(model: Any, prompt: Tensor, steps: int, context_length: int | None = None) -> tuple[Tensor, float]:
    """Continue by the judge's own model; the second result is the smallest lead that a likeliest token had."""
    text, lead = prompt, math.inf
    for _ in range(steps):
        last = model(text if context_length is None else text[:, -context_length:])[:, -1]
        best = last.topk(2).values
        lead = min(lead, float((best[:, 0] - best[:, 1]).min()))
        text = torch.cat([text, last.argmax(-1, keepdim=True)], dim=1)
    return text, lead


def clear_prompt(draw: Any, model: Any, batch: int, seq: int, steps: int, context_length: int | None = None) -> Any:
    """Draw a prompt whose greedy text no rounding can change; return it with that text."""
    for _ in range(50):
        prompt = draw.integers(0, len(model.wte.weight), batch, seq)
        text, lead = greedy(model, prompt, steps, context_length)
        if lead > 1e-3:
            break
    return prompt, text


class Story:
    """A checkpoint (its first four layers) that knows the tokens of some stories alone, shuffled by the run's seed."""

    def __init__(self, draw: Any, weights: Any, data: Any, layers: int = 4) -> None:
        ids = torch.tensor(data.tiktoken().encode_ordinary(data.text("stories_heldout.txt")[:4000]))
        kinds = ids.unique()
        self.tokens = kinds[draw.permutation(len(kinds))]
        self.ids = (ids[:, None] == self.tokens).int().argmax(1)
        self.weights, n_layers = weights, min(layers, weights.sizes["n_layers"])
        self.sizes = weights.sizes | {"vocab_size": len(kinds), "n_layers": n_layers}
        self.state = {
            name: value
            for name, value in weights.linear_state(self.tokens).items()
            if not name.startswith("h.") or int(name.split(".")[1]) < n_layers
        }

    def hugging_face(self, prompt: Tensor, steps: int, stop: int) -> Tensor:
        """Return the greedy text that transformers' own model of this size writes with these weights."""
        given = (self.sizes, self.tokens, prompt, steps, stop)
        return self.weights.answer("greedy text", given, lambda: self._written(prompt, steps, stop))

    @torch.no_grad()
    def _written(self, prompt: Tensor, steps: int, stop: int) -> Tensor:
        from transformers import GPT2Config, GPT2LMHeadModel

        sizes = self.sizes
        config = GPT2Config(
            vocab_size=sizes["vocab_size"],
            n_positions=sizes["context_length"],
            n_embd=sizes["d_model"],
            n_layer=sizes["n_layers"],
            n_head=sizes["n_heads"],
            n_inner=sizes["d_ff"],
            bos_token_id=None,
            eos_token_id=None,
        )
        model = GPT2LMHeadModel(config)
        turned = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")
        own = {f"transformer.{k}": v.T if k.endswith(turned) else v for k, v in self.state.items()}
        missing, unexpected = model.load_state_dict(
            own | {"lm_head.weight": own["transformer.wte.weight"]}, strict=False
        )
        assert not unexpected and all(key.endswith((".attn.bias", ".attn.masked_bias")) for key in missing)
        ends = {"eos_token_id": stop, "pad_token_id": stop}
        mask = torch.ones_like(prompt)
        return model.eval().generate(prompt, attention_mask=mask, max_new_tokens=steps, do_sample=False, **ends)

    def prompt(self, draw: Any, batch: int, seq: int, steps: int) -> tuple[Tensor, Tensor]:
        """Cut pieces out of the stories whose greedy continuation no rounding can change; return it too."""
        model = trusted(self.sizes, self.state)
        for _ in range(50):
            at = draw.integers(0, len(self.ids) - seq, batch)
            prompt = torch.stack([self.ids[start : start + seq] for start in at.tolist()])
            text, lead = greedy(model, prompt, steps)
            if lead > 1e-3:
                break
        return prompt, text

    def misses(self, prompt: Tensor, text: Tensor, stop: int) -> dict[str, Any]:
        """Return what stopping by mistakes gives, and the text of a prompt of which only the last token was read."""
        seq = prompt.shape[1]

        def lonely() -> Tensor:
            model = trusted(self.sizes, self.state)
            told = greedy(model, prompt[:, -1:], text.shape[1] - seq)[0]
            return stopped(torch.cat([prompt[:, :-1], told], dim=1), seq, [stop], stop)

        return stop_misses(text, seq, [stop], stop) | {LONELY: lonely}
