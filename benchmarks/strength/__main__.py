"""`nox -s strength [-- MILESTONE… --seeds N --most N --minutes N --table]`: measure, and write the table.

With `--contracts` it writes docs/contracts.md instead: which check holds which sentence of a stub. With `--played` it
writes docs/learners-way.md: what a student with a mistake reads first.
The table is docs/strength.md. What was measured is kept in results/, and measured again when its subject changes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main(arguments: list[str]) -> int:
    """Measure what is not known yet and write the page."""
    parser = argparse.ArgumentParser(prog="strength", description="How strong the suites are; writes docs/strength.md.")
    parser.add_argument("milestones", nargs="*", help="m04 or m04_attention; none: all")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds right modules are graded with (5)")
    parser.add_argument("--minutes", type=float, default=600.0, help="stop generating mutants after this long")
    parser.add_argument("--most", type=int, default=10_000, help="try at most so many generated mutants a milestone")
    parser.add_argument("--no-generated", action="store_true", help="leave the generated mutants out")
    parser.add_argument("--table", action="store_true", help="measure nothing, only write the page")
    parser.add_argument("--contracts", action="store_true", help="only write which check holds which sentence")
    parser.add_argument(
        "--played", action="store_true", help="only play the likeliest mistakes; write what each is told"
    )
    options = parser.parse_args(arguments)

    from . import contracts, crowd, measure, played, table
    from .proofs import support

    if options.contracts:
        contracts.PAGE.write_text(contracts.render(), encoding="utf-8")
        return 0
    known = support.MILESTONES
    chosen = [name for name in known if name in options.milestones or name.partition("_")[0] in options.milestones]
    unknown = [
        text
        for text in options.milestones
        if text not in known and not any(name.partition("_")[0] == text for name in known)
    ]
    if unknown:
        print(f"strength: there is no milestone {unknown[0]!r}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    if options.played:
        for milestone, tally in played.run(chosen or known):
            print(f"{milestone:<18} {tally}", flush=True)
        return 0
    until = time.monotonic() + 60 * options.minutes
    processes = crowd.Crowd()  # which begin when they are needed
    try:
        for name in [] if options.table else chosen or known:
            print(name, flush=True)
            measure.Milestone(name, processes, lambda line: print(line, flush=True)).measure(
                options.seeds, 0 if options.no_generated else options.most, until
            )
    finally:
        processes.close()
        table.PAGE.write_text(table.render(), encoding="utf-8")
        table.count_on_the_security_page()
    for line in table.render().splitlines():
        if line.startswith("|"):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
