"""The reference for m14_pruning's heads and neurons: what is left of their weights, and what classic mistakes leave."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from grader.suites.shared import attention

State = dict[str, Tensor]
Misses = dict[str, Callable[[], Any]]

GONE = "keep is read as what goes: it is what stays"
SORTED = "what stays is sorted: it stands in the order of keep"
ROWS_FIRST = "the first rows stay, whatever keep says"
QUERIES = "the offsets of keys and values are those of a smaller c_attn: each part is as wide as before"
PER_HEAD = "c_attn is cut as if each head had its query, key and value side by side: all queries come first"
LANES = "a head is every n-th column: its columns lie side by side"
OUTPUTS = "a head's width is taken from d_model: it is c_proj.in_features / n_heads"
WHOLE = "a head's width is taken from c_attn's outputs: queries, keys and values share these"
TURNED = "rows and columns are swapped, as if the layers were Conv1D: nn.Linear keeps (d_out, d_in)"
ZEROED = "biases are set to 0: what is left of them keeps its old numbers"
ANEW = "new layers keep the random numbers that they are made with: copy the old ones"
NO_BIAS = "layers without a bias are not provided for: it is None there"
NO_TUPLE = "keep may be a tuple, and a tensor takes one for several axes: make a list of it"
NO_COLUMNS = "c_proj keeps its first columns: it must keep those of the heads that stay"


def drawn(draw: Any, shapes: dict[str, tuple[int, ...]], dtype: torch.dtype = torch.float32) -> State:
    """Draw weights and biases of these shapes."""
    return {name: draw.normal(*shape, scale=0.5, dtype=dtype) for name, shape in shapes.items()}


# ── neurons ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def mlp_state(draw: Any, d_model: int, d_ff: int, bias: bool = True, dtype: torch.dtype = torch.float32) -> State:
    """Draw the weights of an MLP."""
    shapes = {"c_fc.weight": (d_ff, d_model), "c_fc.bias": (d_ff,)}
    shapes |= {"c_proj.weight": (d_model, d_ff), "c_proj.bias": (d_model,)}
    return drawn(draw, {name: shape for name, shape in shapes.items() if bias or name.endswith("weight")}, dtype)


def scores(state: State) -> Tensor:
    """Score each neuron, in float64."""
    reads, writes = state["c_fc.weight"].double(), state["c_proj.weight"].double()
    return (reads.square().sum(dim=1) * writes.square().sum(dim=0)).sqrt().to(state["c_fc.weight"].dtype)


def scores_misses(state: State) -> Misses:
    """Compute what the classic mistakes score."""
    fc, proj = state["c_fc.weight"].double(), state["c_proj.weight"].double()
    rows, columns, dtype = fc.norm(dim=1), proj.norm(dim=0), state["c_fc.weight"].dtype
    found: Misses = {
        "what a neuron reads is scored alone, not what is read of it": lambda: rows.to(dtype),
        "what is read of a neuron is scored alone, not what it reads": lambda: columns.to(dtype),
        "the two norms are added, not multiplied": lambda: (rows + columns).to(dtype),
        "magnitudes are added up (a 1-norm): take 2-norms": lambda: (fc.abs().sum(1) * proj.abs().sum(0)).to(dtype),
        "the squares have no root: take 2-norms": lambda: (rows * columns).square().to(dtype),
        "the norms run along the wrong axes: inputs and outputs are scored, not neurons": lambda: (
            fc.norm(dim=0) * proj.norm(dim=1)
        ).to(dtype),
        "the two norms are of all of a neuron's weights together: each matrix has its own": lambda: (
            (rows.square() + columns.square()).sqrt().to(dtype)
        ),
    }
    if "c_fc.bias" in state:
        with_bias = (rows.square() + state["c_fc.bias"].double().square()).sqrt()
        found["the biases are scored too"] = lambda: (with_bias * columns).to(dtype)
    return found


def cut_mlp(state: State, keep: Sequence[int]) -> State:
    """Return what is left of an MLP's weights."""
    kept = torch.tensor(keep)
    rows = {name: value[kept] for name, value in state.items() if name.startswith("c_fc")}
    return state | rows | {"c_proj.weight": state["c_proj.weight"][:, kept]}


def mlp_misses(state: State, keep: Sequence[int]) -> dict[str, Callable[[], State]]:
    """Compute what the classic mistakes leave."""
    d_ff = len(state["c_fc.weight"])
    gone = [number for number in range(d_ff) if number not in keep]
    right = cut_mlp(state, keep)
    first = {"c_fc.bias": state["c_fc.bias"][: len(keep)]} if "c_fc.bias" in state else {}
    return {
        GONE: lambda: cut_mlp(state, gone),
        SORTED: lambda: cut_mlp(state, sorted(keep)),
        ROWS_FIRST: lambda: cut_mlp(state, range(len(keep))),
        TURNED: lambda: _turned(right, state, "c_fc", keep, keep),
        ZEROED: lambda: right | {name: torch.zeros_like(right[name]) for name in right if name.endswith("bias")},
        "c_fc's bias is left whole: it goes with its rows": lambda: (
            right | {name: state[name] for name in state if name == "c_fc.bias"}
        ),
        "c_proj's bias is cut too: it belongs to the outputs, which all stay": lambda: _cut_bias(right, keep),
        "c_fc's bias keeps its first numbers: it must keep those of the neurons that stay": lambda: right | first,
        "c_proj keeps its first columns: it must keep those of the neurons that stay": lambda: (
            right | {"c_proj.weight": state["c_proj.weight"][:, : len(keep)]}
        ),
        "c_proj is not cut: it still has a column for each of the old neurons": lambda: (
            right | {"c_proj.weight": state["c_proj.weight"]}
        ),
        "the weights are the same ones, silenced with zeros: nothing has shrunk": lambda: silent_mlp(state, keep),
    }


def _turned(right: State, state: State, first: str, rows: Sequence[int], columns: Sequence[int]) -> State:
    """Return what is left where the axes of both weights are swapped, or the right state where that can't be."""
    weight, after = state[f"{first}.weight"], state["c_proj.weight"]
    if max(rows) >= weight.shape[1] or max(columns) >= len(after):
        return right
    return right | {f"{first}.weight": weight[:, list(rows)], "c_proj.weight": after[list(columns)]}


def _cut_bias(right: State, keep: Sequence[int]) -> State:
    """Return what is left where c_proj's bias is cut as well, or the right state where that can't be."""
    bias = right.get("c_proj.bias")
    return right if bias is None or max(keep) >= len(bias) else right | {"c_proj.bias": bias[list(keep)]}


def names_misses(names: Sequence[str]) -> dict[str, list[str]]:
    """Return what is left, sorted by name, where biases are lost or come anew."""
    first = next(name.removesuffix(".weight") for name in names if name.endswith("weight") and "proj" not in name)
    return {
        "the biases are lost: what had a bias has one": sorted(name for name in names if name.endswith("weight")),
        "c_proj's bias is lost: it is left whole": sorted(name for name in names if name != "c_proj.bias"),
        "the first layer's bias is lost: it goes with its rows": sorted(n for n in names if n != f"{first}.bias"),
        "a bias is made where there was none": sorted({*names, f"{first}.bias", "c_proj.bias"}),
    }


def silent_mlp(state: State, keep: Sequence[int]) -> State:
    """Return an MLP's weights with 0 for all that c_proj reads of the other neurons."""
    silent = torch.zeros_like(state["c_proj.weight"])
    silent[:, list(keep)] = state["c_proj.weight"][:, list(keep)]
    return state | {"c_proj.weight": silent}


def run_mlp(x: Tensor, state: State) -> Tensor:
    """Run an MLP with GPT-2's GELU in float64."""
    state = {name: value.double() for name, value in state.items()}
    inner = x.double() @ state["c_fc.weight"].T + state.get("c_fc.bias", 0.0)
    inner = torch.nn.functional.gelu(inner, approximate="tanh")
    return (inner @ state["c_proj.weight"].T + state.get("c_proj.bias", 0.0)).to(x.dtype)


# ── heads ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def attention_state(
    draw: Any, d_model: int, n_heads: int, d_head: int, bias: bool = True, dtype: torch.dtype = torch.float32
) -> State:
    """Draw the weights of an attention whose heads need not be d_model wide together."""
    width = n_heads * d_head
    shapes = {"c_attn.weight": (3 * width, d_model), "c_attn.bias": (3 * width,)}
    shapes |= {"c_proj.weight": (d_model, width), "c_proj.bias": (d_model,)}
    return drawn(draw, {name: shape for name, shape in shapes.items() if bias or name.endswith("weight")}, dtype)


def lanes(keep: Sequence[int], d_head: int) -> list[int]:
    """Return the columns of c_proj that read these heads, number by number."""
    return [head * d_head + lane for head in keep for lane in range(d_head)]


def cut_heads(
    state: State, n_heads: int, keep: Sequence[int], *, rows: Sequence[int] | None = None, d_head: int | None = None
) -> State:
    """Return what is left of an attention's weights; other rows of c_attn make the mistakes, or another d_head.

    Where so wide heads would not be there, the right state comes back.
    """
    width = state["c_proj.weight"].shape[1]
    kept = lanes(keep, d_head or width // n_heads)
    if max(kept) >= width:
        return cut_heads(state, n_heads, keep)
    rows = [part * width + lane for part in range(3) for lane in kept] if rows is None else rows
    cut = {name: value[list(rows)] for name, value in state.items() if name.startswith("c_attn")}
    return state | cut | {"c_proj.weight": state["c_proj.weight"][:, kept]}


def heads_misses(state: State, n_heads: int, keep: Sequence[int]) -> dict[str, Callable[[], State]]:
    """Compute what the classic mistakes leave."""
    width = state["c_proj.weight"].shape[1]
    d_head, right = width // n_heads, cut_heads(state, n_heads, keep)
    kept, gone = lanes(keep, d_head), [head for head in range(n_heads) if head not in keep]
    rows = [part * width + lane for part in range(3) for lane in kept]
    spread = [head + n_heads * lane for head in keep for lane in range(d_head)]
    side_by_side = [3 * d_head * head + place for head in keep for place in range(3 * d_head)]
    narrow = [part * len(kept) + lane for part in range(3) for lane in kept]
    apart = [part * width + lane for part in range(3) for lane in spread]
    first = {"c_attn.bias": state["c_attn.bias"][: 3 * len(kept)]} if "c_attn.bias" in state else {}
    return {
        GONE: lambda: cut_heads(state, n_heads, gone),
        SORTED: lambda: cut_heads(state, n_heads, sorted(keep)),
        OUTPUTS: lambda: cut_heads(state, n_heads, keep, d_head=len(state["c_proj.weight"]) // n_heads),
        WHOLE: lambda: cut_heads(state, n_heads, keep, d_head=3 * d_head),
        TURNED: lambda: _turned(right, state, "c_attn", rows, kept),
        ZEROED: lambda: right | {name: torch.zeros_like(right[name]) for name in right if name.endswith("bias")},
        "c_attn's bias is left whole: it goes with its rows": lambda: (
            right | {name: state[name] for name in state if name == "c_attn.bias"}
        ),
        "c_proj's bias is cut too: it belongs to the outputs, which all stay": lambda: _cut_bias(right, kept),
        PER_HEAD: lambda: cut_heads(state, n_heads, keep, rows=side_by_side),
        QUERIES: lambda: cut_heads(state, n_heads, keep, rows=narrow),
        LANES: lambda: (
            cut_heads(state, n_heads, keep, rows=apart) | {"c_proj.weight": state["c_proj.weight"][:, spread]}
        ),
        "only the queries of a head go: its keys and values stand further down in c_attn": lambda: cut_heads(
            state, n_heads, keep, rows=[*kept, *range(width, 3 * width)]
        ),
        "c_attn's bias keeps its first numbers: it must keep those of the heads that stay": lambda: right | first,
        NO_COLUMNS: lambda: right | {"c_proj.weight": state["c_proj.weight"][:, : len(kept)]},
        "c_proj is not cut: it still has the columns of all heads": lambda: (
            right | {"c_proj.weight": state["c_proj.weight"]}
        ),
        "c_proj's bias is made smaller with the heads: it is left whole": lambda: (
            right | {name: value * len(keep) / n_heads for name, value in state.items() if name == "c_proj.bias"}
        ),
        "the weights are the same ones, silenced with zeros: nothing has shrunk": lambda: silent_heads(
            state, n_heads, keep
        ),
    }


def silent_heads(state: State, n_heads: int, keep: Sequence[int]) -> State:
    """Return an attention's weights with 0 for all that c_proj reads of the other heads."""
    kept = lanes(keep, state["c_proj.weight"].shape[1] // n_heads)
    silent = torch.zeros_like(state["c_proj.weight"])
    silent[:, kept] = state["c_proj.weight"][:, kept]
    return state | {"c_proj.weight": silent}


def run_heads(x: Tensor, state: State, n_heads: int) -> Tensor:
    """Run an attention in float64: GPT-2's, but for heads that need not be d_model wide together."""
    state = {name: value.double() for name, value in state.items()}
    batch, seq, _ = x.shape
    joined = x.double() @ state["c_attn.weight"].T + state.get("c_attn.bias", 0.0)
    query, key, value = (attention.split_heads(part, n_heads, "heads") for part in joined.chunk(3, dim=-1))
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    mixed = attention.attention(query, key, value, mask).permute(0, 2, 1, 3).reshape(batch, seq, -1)
    return (mixed @ state["c_proj.weight"].T + state.get("c_proj.bias", 0.0)).to(x.dtype)
