#!/usr/bin/env bash
# Gradescope runs this once, as root, while it builds the image of the assignment.
#
# Python and the packages go to /usr and /opt, where every user can read them: students' code runs as a user that can
# read nothing else.
set -euo pipefail

root="${SCRATCHWORK_AUTOGRADER:-/autograder}"
environment="${SCRATCHWORK_ENVIRONMENT:-/opt/scratchwork}"
pythons="${SCRATCHWORK_PYTHONS:-/usr/bin}"
course="$root/source/course"
export DEBIAN_FRONTEND=noninteractive

# Only the distribution's own: another one that comes first in PATH may lie where only root can read it.
fits() {
    "$pythons/$1" -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

apt-get update -qq
apt-get install -y -qq --no-install-recommends bubblewrap ca-certificates python3 python3-venv tzdata

# An older Ubuntu's own Python may be too old, and a newer one can lie beside it.
python=""
for name in python3 python3.14 python3.13 python3.12 python3.11; do
    if ! fits "$name" && [ "$name" != python3 ]; then
        apt-get install -y -qq --no-install-recommends "$name" "$name-venv" 2>/dev/null || continue
    fi
    if fits "$name"; then
        python="$pythons/$name"
        break
    fi
done
if [ -z "$python" ]; then
    echo "Scratchwork needs Python 3.11 to 3.14, and this image has none; choose a newer Ubuntu for the autograder." >&2
    exit 1
fi

"$python" -m venv "$environment"
pip() { "$environment/bin/python" -m pip --quiet --disable-pip-version-check --no-cache-dir install "$@"; }

# PyTorch's own index has builds without CUDA, which are some gigabytes smaller than those of PyPI.
torch="$(grep -E '^torch==' "$course/constraints.txt")"
index="${SCRATCHWORK_TORCH_INDEX:-https://download.pytorch.org/whl/cpu}"
pip --no-deps --retries 1 --index-url "$index" "$torch" ||
    echo "$index does not give $torch; PyPI's build, which is larger, is taken." >&2
"$environment/bin/python" - "$course/pyproject.toml" >"$environment/needed.txt" <<'PYTHON'
import sys
import tomllib

with open(sys.argv[1], "rb") as file:
    print(*tomllib.load(file)["project"]["dependencies"], sep="\n")
PYTHON
pip --constraint "$course/constraints.txt" --requirement "$environment/needed.txt"
chmod -R a+rX "$environment"

# Fail here, in front of the instructor, and not with the first student.
cd "$course"
"$environment/bin/python" -B -m grader.gradescope.run "$root" --check
