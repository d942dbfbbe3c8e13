"""`nox -s bench [-- PART…]`: run the measurements and print one table each.

Parts: sandbox, start, tokenizer, watch, classroom, others (otter-grader and nbgrader, where they are installed).
"""

from __future__ import annotations

import os
import platform
import sys

# One thread on both sides, set before anything imports torch, NumPy or tokenizers.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def main(names: list[str]) -> int:
    """Run the parts named, or all of them."""
    from benchmarks import classroom, other_graders, sandbox, start, tokenizer, watch

    modules = {"sandbox": sandbox, "start": start, "tokenizer": tokenizer, "watch": watch}
    modules |= {"classroom": classroom, "others": other_graders}
    parts = {name: module.run for name, module in modules.items()}
    if unknown := [name for name in names if name not in parts]:
        print(f"bench: there is no part {unknown[0]!r}; there are {', '.join(parts)}.", file=sys.stderr)
        return 2
    print(
        f"Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} processors, one thread each side",
        flush=True,
    )
    for name in names or parts:
        print(f"\n{name}", flush=True)
        for label, figure in parts[name]():
            print(f"  {label:<66} {figure}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
