"""What several checks of m02_data do."""

from grader.judge import expect

from . import oracle


def expect_dice_untouched(student, inside, call):
    """Fail when a call moves the global random numbers of Python, NumPy or torch."""
    inside.seed_everything(99)
    expected = inside.next_rolls()
    inside.seed_everything(99)
    call()
    rolls = inside.next_rolls()
    expect(rolls == expected, "The call moved global random numbers.", mistake=oracle.GLOBAL_MOVED, evidence="value")
