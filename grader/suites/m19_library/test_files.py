"""m19_library: weights in one file or in shards with an index, written and read."""

import json
from typing import Any

import pytest

from grader.judge import expect, expect_equal, expect_raises

from . import oracle, probes
from .steps import expect_file, expect_state, files_in, folder_with

PT = {"format": "pt"}
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LEFT = "files of weights that were saved there before are left: who opens the folder finds two models"
TOO_MUCH = "files are deleted that are no weights of an earlier save"
ONE_SHARD = "a single file is called a shard, and has an index: where one is enough it is model.safetensors"
NO_INDEX = "the index is missing: nobody could tell which files belong together"
NUMBERED = "shards are counted from 0: they are called from 1 on"
DIGITS = "numbers in the files' names do not have five digits"
TOTAL_COUNT = "total_size is the number of numbers, not of bytes"
TOTAL_FILES = "total_size counts the headers too: it is the bytes of all tensors"
BY_COUNT = "a file's size is counted in numbers, not in bytes"
PER_TENSOR = "a file is read once for each of its tensors: read it once"
ELSEWHERE = "a file that lies outside of the folder is opened: an index may come from anybody"


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "One that is larger by itself has a file for itself.",
    'Example: sizes {"a": 3, "b": 4, "c": 2, "d": 9, "e": 1} with most 7 give [["a", "b"], ["c"], ["d"], ["e"]].',
)
def test_the_plan_of_the_docstring(student):
    """The docstring's five sizes take four files, and one of them is larger than a file should be."""
    sizes = {"a": 3, "b": 4, "c": 2, "d": 9, "e": 1}
    right = [["a", "b"], ["c"], ["d"], ["e"]]
    misses = oracle.shard_misses(sizes, 7)
    expect_equal(student.plan_shards(sizes, 7), right, misses=misses, what="the plan")


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Share names out to files, in their order: each into the last file if that then has at most `most` bytes.",
)
def test_names_are_shared_out_in_order(student, draw):
    """Names stay in order, a file is filled up to the last byte that fits, and of nothing there are no files."""
    cases = [({}, 5), ({"a": 4, "b": 4, "c": 1}, 8), ({"a": 9, "b": 1, "c": 8}, 8), ({"a": 1, "b": 9}, 8)]
    for _ in range(6):
        names = [f"{draw.random.choice('abc')}{number}" for number in range(9)]
        cases.append(({name: draw.random.randrange(1, 12) for name in names}, 10))
    cases.append(({"a": 0, "b": 5, "c": 0, "d": 1}, 5))
    for sizes, most in cases:
        found, right = student.plan_shards(sizes, most), oracle.shards(sizes, most)
        expect_equal(found, right, misses=oracle.shard_misses(sizes, most), what=f"the plan for {sizes} and {most}")


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a `most` below 1.",
)
def test_a_file_holds_at_least_a_byte(student):
    """A limit of 0 or less raises ValueError with that number, also where there is nothing to share out."""
    for most in (0, -7):
        for sizes in ({"a": 3}, {}):
            given: dict[str, Any] = {"mentions": (str(most),), "fine": ({"a": 3}, 1)}
            expect_raises("ValueError", student.plan_shards, sizes, most, what=f"plan_shards with {most}", **given)


def expect_weights(student, folder, tensors, most, others=()):
    """Expect just the files of these weights in a folder, and the others."""
    found, sizes = files_in(student, folder), {name: len(oracle.numbers(value)) for name, value in tensors.items()}
    plan = oracle.shards(sizes, most or 10**9)
    count = len(plan)
    names = [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]
    names = [WHOLE] if count < 2 else names
    wanted = sorted([*names, *others, *([INDEX] if count > 1 else [])])
    weights = [name for name in found if name.startswith("model")]
    counted = oracle.shards({name: value.numel() for name, value in tensors.items()}, most or 10**9)
    mistake = None
    if len(counted) != count and len([name for name in weights if name != INDEX]) == len(counted):
        mistake = BY_COUNT
    elif set(found) > set(wanted):
        mistake = ONE_SHARD if count < 2 and INDEX in found and "model-00001-of-00001.safetensors" in found else LEFT
    elif set(others) - set(found) and set(names) <= set(found):
        mistake = TOO_MUCH
    elif count > 1 and INDEX not in found and set(names) <= set(found):
        mistake = NO_INDEX
    elif count > 1 and any(f"{0:05d}-of" in name for name in weights):
        mistake = NUMBERED
    elif count > 1 and f"model-1-of-{count}.safetensors" in found:
        mistake = DIGITS
    elif count < 2 and "model-00001-of-00001.safetensors" in found:
        mistake = ONE_SHARD
    said = f"The folder holds {', '.join(sorted(found)) or 'nothing'}; expected {', '.join(wanted)}."
    expect(sorted(found) == wanted, said[:600], mistake=mistake, evidence="value")
    for name, part in zip(names, plan or [[]], strict=True):
        expect_file(found[name], {key: tensors[key] for key in part}, PT, what=name)
    if count > 1:
        _expect_index(found, dict(zip(names, plan, strict=True)), sizes, tensors)


def _expect_index(found, parts, sizes, tensors):
    try:
        index = json.loads(found[INDEX].decode())
    except (ValueError, RecursionError):
        index = None
    expect(type(index) is dict, "The index is no JSON object.", evidence="value")
    right = {key: name for name, part in parts.items() for key in part}
    turned = {"the index maps files to names: it is names to files": dict(parts)}
    expect_equal(index.get("weight_map"), right, misses=turned, what="the index's weight_map")
    metadata = index.get("metadata")
    total = metadata.get("total_size") if type(metadata) is dict else None
    misses = {
        TOTAL_COUNT: sum(value.numel() for value in tensors.values()),
        TOTAL_FILES: sum(len(found[name]) for name in parts),
    }
    expect_equal(total, sum(sizes.values()), misses=misses, what="the index's total_size")


def some_weights(draw):
    """Return tensors of 24, 16, 40, 6 and 8 bytes."""
    half = draw.normal(3).half()
    large = {"wte": draw.normal(2, 3), "h.0": draw.normal(4), "h.1": draw.normal(5, 2)}
    return large | {"ln": half, "n": draw.integers(0, 9, 1)}


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    'Write model.safetensors into a folder, which is made where there is none, with metadata {"format": "pt"}.',
    "Where plan_shards makes several files of them (None: never), these are model-00001-of-00003.safetensors and "
    'so on, with the same metadata, and model.safetensors.index.json says in which one a tensor is: {"metadata": '
    '{"total_size": bytes of all tensors}, "weight_map": {name: file}}.',
)
def test_small_weights_are_one_file(student, draw):
    """Without a limit, or below it, all tensors are in model.safetensors, in a folder that is made."""
    tensors = some_weights(draw)
    base = folder_with(student, {})
    for number, most in enumerate((None, 1000, 94)):
        folder = f"{base}/a/{number}"
        student.save_weights(tensors, folder, *([] if most is None else [most]))
        expect_weights(student, folder, tensors, most)


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Where plan_shards makes several files of them (None: never), these are model-00001-of-00003.safetensors and "
    'so on, with the same metadata, and model.safetensors.index.json says in which one a tensor is: {"metadata": '
    '{"total_size": bytes of all tensors}, "weight_map": {name: file}}.',
)
def test_large_weights_are_shards(student, draw):
    """Above the limit tensors are in numbered files, and the index says which is where, and how much all take."""
    tensors, base = some_weights(draw), folder_with(student, {})
    for number, most in enumerate((50, 93, 20, 1)):
        folder = f"{base}/b{number}"
        student.save_weights(tensors, folder, max_shard_bytes=most)
        expect_weights(student, folder, tensors, most)


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Of weights saved there before no file is left; others stay.",
)
def test_nothing_of_an_earlier_save_is_left(student, draw):
    """Saved again with more, fewer or no shards, a folder holds the new weights' files alone, and all that is not."""
    others = {"config.json": b"{}", "model.txt": b"x", "notes.safetensors": b"y", "model-card.md": b"z"}
    others["trainer.pt"] = b"w"
    folder = folder_with(student, others)
    folder_holds = [*others]
    for most in (None, 20, 50, None, 50, 1, 93):
        tensors = some_weights(draw)
        student.save_weights(tensors, folder, most)
        expect_weights(student, folder, tensors, most, folder_holds)


def sharded(tensors, plan, **index):
    """Return the files of a sharded model as another library writes them, with more in the index than is needed."""
    files = {
        f"model-{number:05d}-of-{len(plan):05d}.safetensors": oracle.assemble({key: tensors[key] for key in part}, PT)
        for number, part in enumerate(plan, start=1)
    }
    where = {key: name for name, part in zip(files, plan, strict=True) for key in part}
    total = sum(len(oracle.numbers(value)) for value in tensors.values())
    text = {"metadata": {"total_parameters": 9, "total_size": total}, "weight_map": dict(sorted(where.items()))} | index
    return files | {INDEX: json.dumps(text).encode()}


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Return all tensors of model.safetensors, or where it is missing of the files in its index; each is read once.",
)
def test_one_file_is_loaded(student, draw):
    """model.safetensors gives all its tensors, also where shards of something else lie beside it."""
    tensors, old = some_weights(draw), some_weights(draw)
    whole = {WHOLE: oracle.assemble(tensors, PT)}
    for files in (whole, whole | sharded(old, [["wte", "h.0"], ["h.1", "ln", "n"]])):
        found = student.load_weights(folder_with(student, files))
        mistake = {"shards are taken where model.safetensors is there": old}
        expect_state(found, tensors, "after loading", mistake)


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Return all tensors of model.safetensors, or where it is missing of the files in its index; each is read once.",
)
def test_shards_are_loaded(student, draw):
    """Where the index names files, all tensors of all of them are loaded, and each file is opened once."""
    tensors = some_weights(draw)
    files = sharded(tensors, [["wte", "n"], ["h.0", "h.1"], ["ln"]])
    folder = folder_with(student, files | {"other.safetensors": oracle.assemble({"x": draw.normal(2)})})
    found = student.plant(probes).opened(student.load_weights, folder)
    alone = sorted(found["result"]) in (["n", "wte"], ["h.0", "h.1"], ["ln"])
    said = f"The tensors are {sorted(found['result'])}."[:300]
    expect(not alone, said, mistake="the tensors of one shard alone are returned", evidence="value")
    expect_state(found["result"], tensors, "of the shards")
    often = [f"{name}: {count}" for name, count in found["counts"].items() if count > 1]
    expect(not often, f"Opened more than once: {', '.join(often)}.", mistake=PER_TENSOR)


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a file of the index that lies elsewhere than in the folder, and "
    "FileNotFoundError where there are no weights.",
)
def test_a_file_elsewhere_is_refused(student, draw):
    """An index that names a file above the folder, or by a whole path, raises ValueError with that name."""
    tensors = some_weights(draw)
    plan = [["wte", "n"], ["h.0", "h.1", "ln"]]
    files = sharded(tensors, plan)
    fine = folder_with(student, files)
    base = folder_with(student, files | {"mine.safetensors": oracle.assemble(tensors, PT)})
    for name in ("../mine.safetensors", f"{base}/mine.safetensors"):
        where = {
            key: name if key == "ln" else f"model-0000{1 + (key in plan[1])}-of-00002.safetensors" for key in tensors
        }
        changed = {key: value for key, value in files.items() if key != INDEX}
        changed[INDEX] = json.dumps({"metadata": {}, "weight_map": where}).encode()
        planted = student.plant(probes)
        folder = planted.put(f"{base}/mark", changed)
        given: dict[str, Any] = {"mentions": ("mine.safetensors",), "fine": (fine,), "mistake": ELSEWHERE}
        expect_raises("ValueError", student.load_weights, folder, what=f"load_weights with the file {name}", **given)


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a file of the index that lies elsewhere than in the folder, and "
    "FileNotFoundError where there are no weights.",
)
def test_a_folder_without_weights_is_no_model(student, draw):
    """A folder with a config alone raises FileNotFoundError."""
    folder = folder_with(student, {"config.json": b"{}"})
    fine = student.plant(probes).put(f"{folder}/x/mark", {WHOLE: oracle.assemble(some_weights(draw), PT)})
    mistake = "a folder without weights is opened as one with nothing in it"
    what = "load_weights without weights"
    expect_raises("FileNotFoundError", student.load_weights, folder, fine=(fine,), mistake=mistake, what=what)


@pytest.mark.task("m19.3")
@pytest.mark.holds(
    "Return all tensors of model.safetensors, or where it is missing of the files in its index; each is read once.",
    'Write model.safetensors into a folder, which is made where there is none, with metadata {"format": "pt"}.',
)
def test_what_was_saved_is_loaded(student, draw):
    """Whether in one file or in several, what the student's code saved the student's code loads."""
    base = folder_with(student, {})
    for most in (None, 50):
        tensors = some_weights(draw)
        student.save_weights(tensors, f"{base}/c", most)
        expect_state(student.load_weights(f"{base}/c"), tensors, "after saving and loading")
