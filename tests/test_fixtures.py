"""The fixtures are what their manifest says, the build command says what is wrong, and the vocabulary is GPT-2's."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fixtures
from fixtures import manifest, vocabulary

TIKTOKEN_WITHOUT_A_NETWORK = """
import socket, sys

def refuse(*args, **kwargs):
    sys.exit("tiktoken wanted the network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import tiktoken

encoding = tiktoken.get_encoding("gpt2")
print(encoding.n_vocab, encoding.encode("Hello world<|endoftext|>", allowed_special="all"))
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy the fixtures to where a test may damage them."""
    return Path(shutil.copytree(fixtures.FOLDER, tmp_path / "fixtures", ignore=shutil.ignore_patterns("__pycache__")))


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the check of a copy of the fixtures, as a person would, without a network."""
    command = [sys.executable, "-B", str(folder / "build.py"), "check", "--offline"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


# The manifest


def test_every_file_has_the_size_and_hash_that_the_manifest_states() -> None:
    """No fixture is missing, changed or without an entry in the manifest."""
    assert manifest.problems(manifest.read()) == []


def test_every_fixture_states_where_it_comes_from() -> None:
    """Origin, licence and description of each file are filled in."""
    for entry in manifest.read():
        assert min(len(entry.origin), len(entry.licence), len(entry.description)) >= 3, entry.path


def test_the_readme_describes_every_fixture() -> None:
    """fixtures/README.md names each file, gpt2-nano's last loss and a sample of it, and all of bert-nano's."""
    readme = (fixtures.FOLDER / "README.md").read_text(encoding="utf-8")
    last_row = (fixtures.GPT2_NANO / "loss.csv").read_text(encoding="utf-8").splitlines()[-1]
    sample = (fixtures.GPT2_NANO / "sample.txt").read_text(encoding="utf-8").split("\n\n")[0]

    assert [entry.path for entry in manifest.read() if entry.path not in readme] == []
    assert last_row.split(",")[-1] in readme
    assert sample.split("] ")[1] in readme
    for row in csv.reader((fixtures.BERT_NANO / "loss.csv").read_text(encoding="utf-8").splitlines()[1:]):
        step, trained, cost, right, told = row
        assert f"| {int(step):,} | {trained or '–'} | {cost} | {float(right):.1%} | {float(told):.1%} |" in readme
    filled = (fixtures.BERT_NANO / "sample.txt").read_text(encoding="utf-8").split("\n\n")[:-1]
    assert [text for text in filled if f"| {text} |".replace("\n    ", " | ") not in readme] == []


def test_the_readme_shows_pairs_and_messages_that_are_there() -> None:
    """The JSON lines in fixtures/README.md are lines of the corpora."""
    readme = (fixtures.FOLDER / "README.md").read_text(encoding="utf-8")
    files = (fixtures.INSTRUCTIONS_TRAIN, fixtures.INSTRUCTIONS_HELDOUT, fixtures.MESSAGES_TRAIN)
    lines = {line for file in files for line in file.read_text(encoding="utf-8").splitlines()}
    shown = [line for line in readme.splitlines() if line.startswith("{")]

    assert len(shown) == 5
    assert set(shown) <= lines


# The build command


def test_check_accepts_the_fixtures_and_writes_nothing(copied: Path) -> None:
    """`python fixtures/build.py check` ends with exit code 0 and leaves every file as it was."""
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}

    outcome = check(copied)

    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "stories_train.txt").write_bytes(b"Once"), "stories_train.txt"),
        (lambda folder: (folder / "tiktoken" / vocabulary.VOCAB_BPE.name).unlink(), vocabulary.VOCAB_BPE.name),
        (lambda folder: (folder / "gpt2-nano" / "stray.bin").write_bytes(b""), "gpt2-nano/stray.bin"),
        (lambda folder: (folder / "manifest.toml").write_text("file = 1"), "manifest.toml"),
        (lambda folder: (folder / "manifest.toml").unlink(), "manifest.toml"),
    ],
    ids=["changed", "missing", "stray", "broken-manifest", "no-manifest"],
)
def test_check_names_what_is_wrong(copied: Path, damage, named: str) -> None:
    """A damaged fixture makes the check end with exit code 1 and a sentence, not with a traceback."""
    damage(copied)

    outcome = check(copied)

    assert outcome.returncode == 1
    assert named in outcome.stderr
    assert all(line.startswith("wrong: ") for line in outcome.stderr.splitlines()), outcome.stderr


def test_a_package_that_is_none_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """A file that is no wheel and no archive is reported as such."""
    package = tmp_path / "openai_whisper.whl"
    package.write_bytes(b"not a wheel")

    with pytest.raises(fixtures.FixtureError, match="neither a wheel nor a source archive"):
        vocabulary.make(package)


# The vocabulary


def test_tiktoken_works_without_a_network() -> None:
    """The real tiktoken takes GPT-2's vocabulary from the fixtures and accepts its hashes."""
    outcome = subprocess.run(
        [sys.executable, "-c", TIKTOKEN_WITHOUT_A_NETWORK],
        env={"TIKTOKEN_CACHE_DIR": str(fixtures.TIKTOKEN_CACHE), "PATH": "", "SYSTEMROOT": r"C:\Windows"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert outcome.stdout.strip() == "50257 [15496, 995, 50256]", outcome.stderr


def test_the_vocabulary_comes_out_byte_for_byte_from_ranks_alone() -> None:
    """From tokens and ranks, vocab.bpe and encoder.json are rebuilt exactly."""
    from fixtures.nano import gpt2_encoding

    vocab_bpe, encoder_json = vocabulary.rebuild(gpt2_encoding()._mergeable_ranks)

    assert vocab_bpe == fixtures.VOCAB_BPE.read_bytes()
    assert encoder_json == fixtures.ENCODER_JSON.read_bytes()


def test_a_merge_is_found_with_the_lower_ranks_alone() -> None:
    """Of h, e, l, he, el and hel, `hel` came from he + l, because he has the lower rank."""
    ranks = {b"h": 0, b"e": 1, b"l": 2, b"he": 3, b"el": 4, b"hel": 5}

    assert vocabulary.last_merge(b"hel", ranks) == (b"he", b"l")
