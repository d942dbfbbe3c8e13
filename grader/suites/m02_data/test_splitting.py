"""m02_data: splits."""

import pytest

from grader.judge import (
    StudentError,
    counted,
    expect,
    expect_equal,
    expect_raises,
)
from grader.judge.probes import data as planted

from . import oracle
from .steps import expect_dice_untouched

LETTERS = [f"text {number}" for number in range(40)]


def sides_of(student, documents, fractions, seed):
    """Split, and refuse what is not three lists."""
    sides = student.split(documents, fractions, seed)
    fit = type(sides) is tuple and len(sides) == 3 and all(type(side) is list for side in sides)
    expect(fit, f"The result is {sides!r:.200}, expected a tuple of three lists.", evidence="value")
    texts = all(type(text) is str for side in sides for text in side)
    expect(texts, "A side holds something that is no text.", evidence="value")
    count = sum(map(len, sides))
    message = f"The sides have {counted(count, 'text')} in all, of {counted(len(documents), 'document')}."
    expect(count <= 4 * len(documents), message, evidence="value")
    return sides


@pytest.mark.task("m02.3")
@pytest.mark.holds(
    "Deal documents out to training, validation and test: each to one side, and its copies to the same side.",
)
def test_no_text_is_on_two_sides(student, draw):
    """Of documents with up to nine copies each, no two equal ones fall on different sides."""
    documents = [text for text in LETTERS for _ in range(draw.random.randint(1, 9))]
    draw.random.shuffle(documents)
    training, validation, test = map(set, sides_of(student, documents, (0.6, 0.2, 0.2), 3))
    both = (training & validation) | (training & test) | (validation & test)
    message = f"Of 40 texts, {len(both)} stand on two sides, {min(both, default='')!r} among them."
    expect(not both, message, mistake=oracle.LEAK, evidence="value")
    expect(training | validation | test == set(documents), "Some texts are on no side.", evidence="value")


@pytest.mark.task("m02.3")
@pytest.mark.holds(
    "Of n distinct documents, shuffled by a generator seeded with `seed`, training gets the first round(f0 * "
    "n), validation those up to round((f0 + f1) * n), test the rest.",
    'Example: ["a", "b", "a"] with (0.5, 0.0, 0.5) gives ["a", "a"], [], ["b"] or the reverse.',
)
def test_sizes_are_rounded_shares_of_the_distinct_texts(student):
    """Of n distinct texts, training has round(f0 * n), and training and validation together round((f0 + f1) * n)."""
    texts, copies = [f"{n}" for n in range(100)], LETTERS[:31] + LETTERS[3:20] * 2
    for shares in ((0.5, 0.25, 0.25), (0.7, 0.2, 0.1), (0.29, 0.0, 0.71), (0.33, 0.33, 0.34), (1.0, 0.0, 0.0)):
        for documents in (LETTERS, LETTERS[:7], copies, texts):
            try:
                sides = sides_of(student, documents, shares, 5)
            except StudentError as error:
                refused = error.kind == "ValueError" and sum(shares) != 1
                expect(not refused, f"The fractions {shares} are refused: {error.text}", mistake=oracle.EXACT)
                raise
            n, sizes = len(set(documents)), [len(set(side)) for side in sides]
            what = f"the list of sizes for {shares} (documents: {len(documents)}, distinct: {n})"
            misses = oracle.size_misses(documents, shares)
            expect_equal(sizes, oracle.wanted_sizes(n, shares), misses=misses, what=what)


@pytest.mark.task("m02.3")
@pytest.mark.holds(
    "No copy is lost; each side keeps the given order.",
    'Example: ["a", "b", "a"] with (0.5, 0.0, 0.5) gives ["a", "a"], [], ["b"] or the reverse.',
)
def test_each_side_has_all_copies_in_the_given_order(student, draw):
    """A side is what is left of the documents when the texts of the other sides are taken out."""
    example = sides_of(student, ["a", "b", "a"], (0.5, 0.0, 0.5), draw.random.randrange(1000))
    misses = {oracle.DROPPED: [[], ["a"], ["b"]]}
    sides = [[], ["a", "a"], ["b"]]
    expect_equal(sorted(example), sides, misses=misses, what="the sorted sides of the docstring's example")
    documents = draw.random.choices(LETTERS, k=90)
    for side in sides_of(student, documents, (0.5, 0.3, 0.2), 4):
        held = set(side)
        kept = [text for text in documents if text in held]
        misses = {oracle.DROPPED: list(dict.fromkeys(kept)), "the given order is lost": side}
        expect_equal(side, kept, misses=misses, what="one side")


@pytest.mark.task("m02.3")
@pytest.mark.holds(
    "Of n distinct documents, shuffled by a generator seeded with `seed`, training gets the first round(f0 * "
    "n), validation those up to round((f0 + f1) * n), test the rest.",
)
def test_every_text_visits_every_side(student):
    """Over 150 seeds each of ten texts is in training, in validation and in test."""
    visits: dict[str, set[int]] = {text: set() for text in LETTERS[:10]}
    for seed in range(150):  # the rarest visit has the chance 0.2: none in 150 is rarer than one in 10**14
        for place, side in enumerate(sides_of(student, LETTERS[:10], (0.5, 0.3, 0.2), seed)):
            for text in side:
                visits.get(text, set()).add(place)
    fixed = [text for text, places in visits.items() if places != {0, 1, 2}]
    in_order = [places for side, size in enumerate((5, 3, 2)) for places in [{side}] * size]
    alike = all(len(places) == 1 for places in visits.values())
    never = oracle.UNSHUFFLED if list(visits.values()) == in_order else oracle.SEED_UNUSED if alike else None
    expect(not fixed, f"Whatever the seed, {fixed} miss a side.", mistake=never, evidence="value")


@pytest.mark.task("m02.3")
@pytest.mark.holds(
    "Only the arguments matter (hash(text) differs between processes), and global random numbers are left alone.",
)
def test_a_split_depends_on_its_arguments_alone(student, draw):
    """The same seed, 0 too, splits alike whatever dice were rolled and in every process; another seed does not."""
    inside, args = student.plant(planted), (LETTERS * 2, (0.5, 0.3, 0.2))
    seed, salts = draw.random.randrange(1000), (1, 2, 3)
    first, second = (sides_of(student, *args, 0) for _ in range(2))
    by_dice = second != first and by_global_dice(student, inside, *args, 0)
    zero = second != first and sides_of(student, *args, seed + 1) == sides_of(student, *args, seed + 1)
    misses = {oracle.GLOBAL_READ: second} if by_dice else {oracle.ZERO_SEED: second} if zero else {}
    expect_equal(second, first, misses=misses, what="the split with the seed 0, once more,")
    expected = sides_of(student, *args, seed)
    expect(
        expected != sides_of(student, *args, seed + 1),
        "Two seeds split alike.",
        mistake=oracle.SEED_UNUSED,
        evidence="value",
    )
    inside.seed_everything(seed + 17)
    again = sides_of(student, *args, seed)
    misses = {oracle.GLOBAL_READ: again} if by_global_dice(student, inside, *args, seed) else {}
    expect_equal(again, expected, misses=misses, what="the split with the same seed, once more,")
    for salt in salts:
        again = inside.split_as_process(salt, student.split, *args, seed)
        expect_equal(again, expected, misses={oracle.HASHES: again}, what="the split with another process's hashes")


def by_global_dice(student, inside, *args):
    """Tell whether a split comes out as the global dice were seeded: alike after one seed, and not after another."""
    sides = []
    for seed in (17, 17, 18):
        inside.seed_everything(seed)
        sides.append(sides_of(student, *args))
    return sides[0] == sides[1] != sides[2]


@pytest.mark.task("m02.3")
@pytest.mark.holds(
    "Only the arguments matter (hash(text) differs between processes), and global random numbers are left alone.",
)
def test_splitting_leaves_global_random_numbers_alone(student):
    """After a split, Python, NumPy and torch roll what they would have rolled without it."""
    sides_of(student, LETTERS, (0.5, 0.3, 0.2), 1)
    expect_dice_untouched(student, student.plant(planted), lambda: student.split(LETTERS, (0.5, 0.3, 0.2), 1))


@pytest.mark.task("m02.3")
@pytest.mark.holds("ValueError when a fraction is negative or their sum, rounding aside, is not 1.")
def test_fractions_that_are_none_are_refused(student):
    """Fractions that sum to 0.9 or 1.1, and a negative one, raise ValueError."""
    for fractions in ((0.5, 0.2, 0.2), (0.5, 0.3, 0.3), (1.2, -0.4, 0.2)):
        expect_raises("ValueError", student.split, LETTERS, fractions, 0, fine=(LETTERS, (0.5, 0.3, 0.2), 0))
