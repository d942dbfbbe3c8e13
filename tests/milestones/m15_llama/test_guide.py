"""The worked examples of m15_llama, in its guide and its docstrings, are true."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from grader.suites.m15_llama import oracle, oracle_files
from solutions import m15_llama as m15

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m15_llama.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


def table(first):
    """Return the cells of the table whose head begins so, row by row, without the head."""
    lines = GUIDE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_table_by_hand_is_right():
    """[1, 0] turned by 30 degrees a position is what the table says, and so are the two scores."""
    step = torch.tensor([math.pi / 6])
    turned = []
    for position, angle, vector in table("position"):
        x = m15.apply_rope(torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([int(position)]), step).flatten()
        assert int(angle.rstrip("°")) == 30 * int(position)
        assert [float(part) for part in vector.strip("[]").split(", ")] == pytest.approx(x.tolist(), abs=5e-4)
        turned.append(x)

    assert "0 · 0.866 + 1 · 0.5 = 0.5" in WORDS and float(turned[3] @ turned[1]) == pytest.approx(0.5)
    assert "0.5 · 1 + 0.866 · 0 = 0.5" in WORDS and float(turned[2] @ turned[0]) == pytest.approx(0.5)


def test_the_formulas_of_the_guide_are_right():
    """The norm, the turn and the gated MLP are the solution's."""
    x, gain, eps = torch.randn(5), torch.randn(5), 0.1
    norm = m15.RMSNorm(5, eps)
    norm.load_state_dict({"weight": gain})
    expected = [x[i] / math.sqrt(sum(float(n) ** 2 for n in x) / 5 + eps) * gain[i] for i in range(5)]
    assert norm(x).tolist() == pytest.approx([float(n) for n in expected], rel=1e-5)

    for i in range(3):
        assert float(m15.rope_frequencies(6)[i]) == pytest.approx(10000 ** (-2 * i / 6))
    (a, b), angle = torch.randn(2).tolist(), 3 * 0.4
    turned = m15.apply_rope(torch.tensor([[[[a, b]]]]), torch.tensor([3]), torch.tensor([0.4])).flatten().tolist()
    wanted = [a * math.cos(angle) - b * math.sin(angle), a * math.sin(angle) + b * math.cos(angle)]
    assert turned == pytest.approx(wanted, abs=1e-6)

    mlp = m15.GatedMLP(5, 7)
    gate, up, down = (mlp.get_submodule(f"{name}_proj").weight for name in ("gate", "up", "down"))
    assert torch.allclose(mlp(x), down @ (gate @ x / (1 + torch.exp(-(gate @ x))) * (up @ x)), atol=1e-6)


def test_the_table_of_caches_is_right():
    """Bytes a token and for 8,192 tokens follow from layers, heads and widths."""
    for _, layers, heads, kv_heads, d_head, each, many in table("model"):
        sizes = {"n_layers": int(layers), "n_heads": int(heads), "n_kv_heads": int(kv_heads), "d_head": int(d_head)}
        found = m15.kv_cache_bytes(m15.LlamaConfig(**sizes), 1)
        assert f"{found:,}" == each
        assert f"{found * 8192 / 2**20:,.0f} MiB" == many
    assert "4,096 tokens take 2,048 MiB" in WORDS
    assert m15.kv_cache_bytes(m15.LlamaConfig(), 4096) == 2048 * 2**20


def test_the_table_of_names_is_right():
    """Meta's and LitGPT's names are those that from_meta reads and to_litgpt writes."""
    rows = table("yours")
    theirs = {ours.strip("`"): (meta.strip("`"), lit.split(",")[0].strip("`")) for ours, meta, lit in rows}
    assert theirs.pop("layers.N.") == ("layers.N.", "transformer.h.N.")
    assert {ours: meta for ours, (meta, _) in theirs.items()} == oracle_files.META
    fused = {f"self_attn.{letter}_proj": "attn.qkv" for letter in "qkv"}
    assert {ours: lit for ours, (_, lit) in theirs.items()} == oracle_files.LITGPT | fused


def test_the_numbers_in_the_prose_are_right():
    """Squares in float16, eps beside small numbers, positions in bfloat16 and the widths of Llama's MLP."""
    assert "float16 ends at 65,504" in WORDS and torch.finfo(torch.float16).max == 65504
    assert torch.tensor(300.0).half().square().isinf()
    assert "mean of squares of 1e-6, a tenth of 1e-5" in WORDS and pytest.approx(1e-6) == (0.001**2 + 0.001**2) / 2
    assert "takes position 1,001 for 1,000" in WORDS and float(torch.tensor(1001.0).bfloat16()) == 1000
    for dtype in (torch.float16, torch.bfloat16):  # as a mistake's sentence says of angles in half precision
        assert torch.tensor(3000.0).to(dtype) == torch.tensor(3001.0).to(dtype)
    assert "position 3000 from 3001" in oracle.COARSE_ANGLES
    assert "d_ff is 11,008 for a d_model of 4,096" in WORDS
    assert (m15.LlamaConfig().d_ff, m15.LlamaConfig().d_model) == (11008, 4096)
    assert "goes round once in about six positions" in WORDS and round(2 * math.pi) == 6
    assert "its own position and the 4,095 before it" in WORDS


def test_what_the_guide_says_of_torch_is_so():
    """With is_causal torch aligns the mask with the first key, as the guide says of 3 queries and 7 keys."""
    query, key, value = torch.randn(1, 1, 3, 4), torch.randn(1, 1, 7, 4), torch.randn(1, 1, 7, 4)
    first = F.scaled_dot_product_attention(query, key, value, is_causal=True)[0, 0, 0]
    assert torch.allclose(first, value[0, 0, 0])


def test_the_docstrings_are_right():
    """What the stub's docstrings work out is what the solution gives."""
    text = (REPOSITORY / "exercises" / "m15_llama.py").read_text(encoding="utf-8")
    assert re.search(r"\[3, 4\] / sqrt\(12\.5\), \[0\.8485, 1\.1314\]", text)
    assert m15.RMSNorm(2, 0.0)(torch.tensor([3.0, 4.0])).tolist() == pytest.approx([0.8485, 1.1314], abs=5e-5)
    assert "becomes [3.5232]" in text and 4 / (1 + math.exp(-2)) == pytest.approx(3.5232, abs=5e-5)
    assert "524,288" in text and m15.kv_cache_bytes(m15.LlamaConfig(), 1) == 524_288
    assert "131,072" in text and m15.kv_cache_bytes(m15.LlamaConfig(n_kv_heads=8), 1) == 131_072
