"""`python -m grader.sandbox.compiled`: compile what workers may import, with all cores.

Workers cannot write into the environment: what is not compiled there would be so again in each sandbox. The rest is
compiled by whoever imports it first, and most of it never is.
"""

from __future__ import annotations

import compileall

from .packages import allowed_packages


def main() -> None:
    """Compile; a template that is no Python yet is left as it is."""
    for path in allowed_packages().values():
        if path.is_dir():
            compileall.compile_dir(path, quiet=2, workers=0)
        elif path.suffix == ".py":
            compileall.compile_file(path, quiet=2)


if __name__ == "__main__":
    main()
