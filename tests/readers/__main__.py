"""What we write, given to the programs that read it: PHP and Ruby as Debian has them, a schema and a parser of PyPI's.

`nox -s readers` runs it: first with --write FOLDER in the shared environment, then with FOLDER in one that has the
readers. Each reader has to find what the rules in tests/lms_readers.py say that it finds, so that those rules are held
to the readers themselves.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1])]
# Names as people have them and as attackers write them: what tells one way of quoting from another.
CELLS = [
    "plain",
    "Dag, Eli \\",
    'Dag \\"D" Berg',
    'Finn "Fin" Berg',
    "\\",
    'a\\\\"',
    "two  spaces",
    "Zoë 李",
    "19.1.4025",
]


def write(folder: Path) -> None:
    """Write our tables and JUnit files, and beside each what its reader has to find."""
    import lms_readers
    import made_record
    from test_exports import CLASS, EXPORTS, TITLES

    from grader.reports.machines import junit
    from grader.reports.marks import canvas, moodle

    result = CLASS()
    for standing, name in zip(result.standings, CELLS, strict=True):
        standing.student = type(standing.student)(standing.student.id, name, standing.student.email)
    tables = {name.removesuffix(".csv"): export().text for name, export in EXPORTS.items()}
    tables |= {"moodle_names": moodle.render(result).text, "canvas_names": canvas.render(result, titles=TITLES).text}
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="")
        rows = list(csv.reader(io.StringIO(text)))
        assert lms_readers.php(text) == rows
        as_canvas = [[lms_readers.canvas_cell(cell) for cell in row] for row in rows]
        (folder / f"{name}.json").write_text(json.dumps({"php": rows, "ruby": as_canvas}), encoding="utf-8")
    for name in ("near_miss", "hostile"):
        text = junit.render(getattr(made_record, name)())
        (folder / f"{name}.xml").write_text(text, encoding="utf-8")
        (folder / f"{name}.xml.json").write_text(json.dumps(lms_readers.junit(text)), encoding="utf-8")


def read(folder: Path) -> int:
    """Give each file to its readers; return 1 if one of them is not here or finds something else."""
    schema = schema_of_pytest(folder)
    php, ruby = str(HERE / "table.php"), str(HERE / "table.rb")
    readers: dict[str, Callable[[], str]] = {
        "PHP, in Moodle's two steps": lambda: of_tables(folder, "php", [wanted("php", "php-cli"), php]),
        "Ruby, with Canvas's numbers": lambda: of_tables(folder, "ruby", [wanted("ruby"), ruby]),
        "what PHP writes, read by us": of_php,
        "the schema junit-10.xsd, by xmlschema": lambda: by_schema(folder, schema),
        "junitparser": lambda: by_junitparser(folder),
    }
    failed = 0
    for name, reader in readers.items():
        try:
            print(f"{name}: {reader()}")
        except Wrong as error:
            failed = 1
            print(f"{name}: {error}")
    return failed


class Wrong(Exception):
    """A reader is not here, or has found something else."""


def wanted(program: str, package: str = "") -> str:
    """Return where a program is."""
    found = shutil.which(program)
    if found is None:
        raise Wrong(f"{program} is not here; on Debian: apt-get install {package or program}")
    return found


def output(command: list[str], text: str) -> str:
    """Return what a reader prints for a text."""
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise Wrong(f"refused: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout.decode()


def of_tables(folder: Path, kind: str, command: list[str]) -> str:
    """Compare every table as it is read with what it has to be."""
    files = sorted(folder.glob("*.csv"))
    for path in files:
        text = path.read_bytes().decode("utf-8").removeprefix("\ufeff")
        expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))[kind]
        expected[0][0] = expected[0][0].removeprefix("\ufeff")
        found = json.loads(output(command, text))
        for row, (one, other) in enumerate(zip(found, expected, strict=False), start=1):
            if one != other:
                raise Wrong(f"{path.name}, row {row}: {one} and not {other}")
        if len(found) != len(expected):
            raise Wrong(f"{path.name}: {len(found)} rows and not {len(expected)}")
    return f"{len(files)} tables, each cell as it has to be"


def of_php() -> str:
    """Compare what PHP writes with how it is read here."""
    from grader import tables

    rows = [["name", "id", "mark"], *([cell, str(number), "1"] for number, cell in enumerate(CELLS))]
    text = output([wanted("php", "php-cli"), str(HERE / "table.php"), "write"], json.dumps(rows))
    found = [row.cells for row in tables.rows(text)[0]]
    if found != rows:
        raise Wrong(f"{next((one, other) for one, other in zip(found, rows, strict=False) if one != other)}")
    return f"{len(rows)} rows, each as it was written"


def schema_of_pytest(folder: Path) -> Path:
    """Return junit-10.xsd as it stands in pytest's source, which is that of Jenkins's xUnit plugin."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pytest", "pytest"]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    (archive,) = folder.glob("pytest-*.tar.gz")
    with tarfile.open(archive) as source:
        name = next(name for name in source.getnames() if name.endswith("/example_scripts/junit-10.xsd"))
        member = source.extractfile(name)
        assert member is not None
        # It calls the element for an error `errors`, which no program that writes JUnit does, nor Jenkins's own copy.
        text = member.read().replace(b'name="errors">', b'name="error">').replace(b'ref="errors"', b'ref="error"')
    (folder / "junit-10.xsd").write_bytes(text)
    return folder / "junit-10.xsd"


def by_schema(folder: Path, schema: Path) -> str:
    """Validate every JUnit file."""
    import xmlschema

    validator = xmlschema.XMLSchema(str(schema))
    files = sorted(folder.glob("*.xml"))
    for path in files:
        for error in validator.iter_errors(str(path)):
            raise Wrong(f"{path.name}: {error.path}: {error.reason}")
    return f"{len(files)} files are valid"


def by_junitparser(folder: Path) -> str:
    """Read every JUnit file with the parser that EnricoMi/publish-unit-test-result-action has."""
    import junitparser

    kinds = {junitparser.Failure: "failure", junitparser.Error: "error"}
    count = 0
    for path in sorted(folder.glob("*.xml")):
        expected = json.loads(path.with_suffix(".xml.json").read_text(encoding="utf-8"))
        found = {
            f"{case.classname} {case.name}": kinds[type(case.result[0])] if case.result else "passed"
            for suite in junitparser.JUnitXml.fromfile(str(path))
            for case in suite
        }
        if found != expected:
            raise Wrong(f"{path.name}: {sorted(set(found.items()) ^ set(expected.items()))[:2]}")
        count += len(found)
    return f"{count} cases, each with its result"


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        write(Path(sys.argv[2]))
    else:
        raise SystemExit(read(Path(sys.argv[1])))
