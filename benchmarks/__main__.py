"""`nox -s bench [-- PART…]`: run the measurements and print one table each.

Parts: sandbox, start, tokenizer, pruning, watch, classroom, others (otter-grader and nbgrader, where they are
installed); only on request: growth.

`nox -s bench -- against COMMIT [PART…] [--rounds N]` compares this tree with an earlier commit instead, by turns in one
run (parts: see `benchmarks.against.parts`, whose names it prints when it does not know one). It gives for each figure
the median of either build, and the ratio of this tree to the commit in each round and in the median. `checks` lists
each check whose median ratio is above 1.05; beside it stands how many are below 1/1.05, which is what chance does.
"""

from __future__ import annotations

import os
import platform
import sys

# One thread on both sides, set before anything imports torch, NumPy or tokenizers.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
ON_REQUEST = ("growth",)


def main(names: list[str]) -> int:
    """Run the parts named, or all of them; or compare with a commit."""
    if names[:1] == ["against"]:
        from benchmarks.against.command import main as compare

        return compare(names[1:])
    from benchmarks import classroom, growth, other_graders, pruning, sandbox, start, tokenizer, watch

    modules = {"sandbox": sandbox, "start": start, "tokenizer": tokenizer, "pruning": pruning, "watch": watch}
    modules |= {"classroom": classroom, "others": other_graders, "growth": growth}
    parts = {name: module.run for name, module in modules.items()}
    if unknown := [name for name in names if name not in parts]:
        print(f"bench: there is no part {unknown[0]!r}; there are {', '.join(parts)}.", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors, one thread each side",
        flush=True,
    )
    for name in names or [name for name in parts if name not in ON_REQUEST]:
        print(f"\n{name}", flush=True)
        for label, figure in parts[name]():
            print(f"  {label:<66} {figure}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
