"""m08_training: AdamW, the schedule and the clip."""

import functools
from typing import Any

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
)
from grader.judge.probes import model

from . import oracle, probes
from . import oracle_adamw as adamw

OTHER_DEFAULTS: dict[str, dict[str, Any]] = {
    "betas and weight_decay have torch's defaults, not the signature's": {"betas": (0.9, 0.999), "weight_decay": 0.01},
    "betas have another default than the signature's: (0.9, 0.999) is torch's": {"betas": (0.9, 0.999)},
    "weight_decay has another default than the signature's: 0.01 is torch's": {"weight_decay": 0.01},
    "weight_decay has another default than the signature's: 0.0 is Adam's": {"weight_decay": 0.0},
    "eps has another default than the signature's: 1e-12 instead of 1e-8": {"eps": 1e-12},
    "eps has another default than the signature's: 1e-6 instead of 1e-8": {"eps": 1e-6},
    "eps has another default than the signature's: 1e-5 instead of 1e-8": {"eps": 1e-5},
    "eps has another default than the signature's: 0 instead of 1e-8": {"eps": 0.0},
}
BY_NAME = {
    ("bias",): "what is called bias does not decay; the number of its axes decides",
    ("bias", "ln"): "what is called bias or ln does not decay; the number of its axes decides",
    ("bias", "norm"): "what is called bias or norm does not decay; the number of its axes decides",
    ("bias", "norm", "ln_"): "what is called bias, norm or ln_ does not decay; the number of its axes decides",
}


def follow(student, groups, gradients, options=oracle.NUMBERS, rates=None, atol=FLOAT32_OP, **extra):
    """Step the student's AdamW and compare all parameters after each step; return the gradients that are left.

    In float64 a correction may still be a float32 tensor, as `torch.tensor(beta) ** count` is: hence the tolerance.
    """
    found = student.plant(probes).follow(student.AdamW, groups, gradients, options, rates, **extra)
    expected = adamw.adamw(groups, gradients, options, rates).to(groups[0]["params"][0].dtype)
    misses = adamw.adamw_misses(groups, gradients, options, rates)
    if snapshot := extra.get("snapshot"):
        lost: dict[str, dict[str, Any]] = {
            "load_state_dict does not bring back moments and counts": {"forget": snapshot},
            "load_state_dict brings back the moments and not the counts": {"forget": snapshot, "forgotten": "counts"},
            "state_dict hands out the moments themselves, which later steps change: copy them": {"alias": snapshot},
        }
        for mistake, switches in lost.items():
            misses[mistake] = functools.partial(adamw.adamw, groups, gradients, options, rates, **switches)
    if extra.get("once"):
        moved = [gradients[0], *([None] * len(row) for row in gradients[1:])]
        words = "a group's params are gone through anew in each step, and an iterator is empty then: make a list of it"
        misses = {words: lambda: adamw.adamw(groups, moved, options, rates), **misses}
    expect_close(oracle.flat(found["values"]), expected, atol=atol, misses=misses, what="the list of all parameters")
    return found["gradients"]


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "Example: w = 1 with gradient 4, lr = 0.1, weight_decay = 0.5: the decay makes it 0.95, the first step 0.85.",
)
def test_one_step_as_in_the_docstring(student):
    """The docstring's weight of 1, with gradient 4, lr 0.1 and weight_decay 0.5, becomes 0.85."""
    one = torch.ones(1, dtype=torch.float64)
    follow(student, [{"params": [one]}], [[4 * one]], {"lr": 0.1, "weight_decay": 0.5})


@pytest.mark.task("m08.1")
def test_the_first_step_is_as_long_as_the_learning_rate(student, draw):
    """Without decay the first step moves every weight by lr, however large or small its gradient is."""
    groups, options = [{"params": [draw.normal(4, 3)]}], oracle.NUMBERS | {"eps": 1e-12, "weight_decay": 0.0}
    gradients = [[draw.normal(4, 3) * 10.0 ** draw.integers(-3, 4, 4, 3)]]
    follow(student, groups, gradients, options | {"lr": 0.1}, atol=FLOAT32_OP)


@pytest.mark.task("m08.1")
def test_a_gradient_of_zero_leaves_only_the_decay(student, draw):
    """With gradients of 0 each step multiplies the weights by 1 - lr * weight_decay and does nothing else."""
    groups = [{"params": [draw.normal(4, 3, dtype=torch.float64)]}]
    follow(student, groups, [[torch.zeros(4, 3, dtype=torch.float64)]] * 3)


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2; the decay times lr, as torch has it).",
    "Move every parameter that has a gradient, in place; the others, and all gradients, stay as they are.",
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_many_steps_are_torchs(student, draw, dtype):
    """Thirty steps on three parameters in two groups give what torch's AdamW gives, and leave the gradients alone."""
    groups = adamw.some_groups(draw, dtype)
    gradients = adamw.some_gradients(draw, groups, 30)
    atol = FLOAT32_OP if dtype is torch.float64 else FLOAT32_LAYER
    left = follow(student, groups, gradients, atol=atol)
    found = student.plant(probes).follow(student.AdamW, groups, gradients, oracle.NUMBERS)["values"]
    expect_close(oracle.flat(found), adamw.torch_adamw(groups, gradients, oracle.NUMBERS), atol=atol)
    expect_close(oracle.flat(left), oracle.flat(gradients[-1]), atol=FLOAT64, what="the gradient after the step")


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "After the decay it moves by lr * first / (sqrt(second) + eps), both averages corrected: eps stands "
    "outside of the root and of the correction.",
    '(Kingma\'s "efficient" form has it inside of the correction; torch has not.)',
)
def test_eps_is_added_outside_the_root(student, draw):
    """With gradients as small as eps the denominator is the corrected root plus eps."""
    groups = [{"params": [draw.normal(4, 3, dtype=torch.float64)]}]
    follow(student, groups, adamw.some_gradients(draw, groups, 3, scale=1e-6))


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    'Takes parameters, or dicts with "params" and what differs from the arguments.',
    '`param_groups` is a list of dicts with "params" (a list), "lr", "betas", "eps", "weight_decay": who '
    "changes a number there changes the next step.",
)
def test_each_group_goes_by_its_own_numbers(student, draw):
    """Groups keep the lr, betas, eps and weight_decay they bring, and a new lr in param_groups counts at once."""
    groups = [*adamw.some_groups(draw), {"params": [draw.normal(2, dtype=torch.float64)], "eps": 0.5}]
    groups.append({"params": [draw.normal(3, dtype=torch.float64)], "weight_decay": 0.0})  # 0 is a number like others
    gradients = adamw.some_gradients(draw, groups, 5)
    follow(student, groups, gradients)
    follow(student, groups, gradients, rates=[None, None, (0.2, 0.1, 0.4, 0.2), None, (0.0, 0.3, 0.1, 0.3)])


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    '`param_groups` is a list of dicts with "params" (a list), "lr", "betas", "eps", "weight_decay": who '
    "changes a number there changes the next step.",
)
@pytest.mark.parametrize("name", ["betas", "eps", "weight_decay"])
def test_numbers_changed_in_a_group_count_at_once(student, draw, name):
    """Whichever number of a group is changed in param_groups, the next step goes by it."""
    groups, new = adamw.some_groups(draw), {"betas": (0.5, 0.7), "eps": 0.25, "weight_decay": 0.0}[name]
    gradients = adamw.some_gradients(draw, groups, 5)
    rates: list[Any] = [None] * 5
    # betas from the start: whether later ones correct by their powers or by the product, the contract leaves open.
    rates[0 if name == "betas" else 2] = [{name: new}] * len(groups)
    follow(student, groups, gradients, rates=rates)


@pytest.mark.task("m08.1")
@pytest.mark.holds('Takes parameters, or dicts with "params" and what differs from the arguments.')
def test_plain_parameters_and_defaults_do(student, draw):
    """Without groups the parameters may come from a generator, and betas, eps and weight_decay have their defaults."""
    groups = [{"params": adamw.some_groups(draw)[0]["params"]}]
    gradients = adamw.some_gradients(draw, groups, 4, scale=1e-7)  # so small that eps shows
    found = student.plant(probes).follow(student.AdamW, groups, gradients, {"lr": 0.1}, plain=True)["values"]
    misses = adamw.adamw_misses(groups, gradients, {"lr": 0.1})
    for mistake, numbers in OTHER_DEFAULTS.items():
        misses[mistake] = functools.partial(adamw.adamw, groups, gradients, {"lr": 0.1, **numbers})
    expect_close(oracle.flat(found), adamw.adamw(groups, gradients, {"lr": 0.1}), atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    '`param_groups` is a list of dicts with "params" (a list), "lr", "betas", "eps", "weight_decay": who '
    "changes a number there changes the next step.",
)
def test_a_groups_parameters_may_be_read_only_once(student, draw):
    """A group's params may be any iterable, like model.parameters(), and are there in the second step too."""
    groups = adamw.some_groups(draw)
    follow(student, groups, adamw.some_gradients(draw, groups, 3), once=True)


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "Move every parameter that has a gradient, in place; the others, and all gradients, stay as they are.",
)
def test_a_parameter_without_gradient_waits(student, draw):
    """A parameter whose grad is None stays as it is, and its own count of steps begins with its first gradient."""
    groups = adamw.some_groups(draw)
    gradients: list[list[Any]] = adamw.some_gradients(draw, groups, 5)
    gradients[0][1] = gradients[1][1] = gradients[3][2] = None
    follow(student, groups, gradients)


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "Return a snapshot of moments, counts and the groups' numbers: containers, numbers, tensors of its own.",
    "Go on from a snapshot and leave it as it is; ValueError when groups or numbers of parameters differ.",
)
def test_a_snapshot_takes_up_where_it_was_taken(student, draw):
    """state_dict is a snapshot that later steps don't change; loaded into a new optimizer, that one goes on from it."""
    groups = adamw.some_groups(draw)
    follow(student, groups, adamw.some_gradients(draw, groups, 9), snapshot=4)
    gradients: list[list[Any]] = adamw.some_gradients(draw, groups, 6)
    for row in gradients[:4]:
        row[1] = None  # a parameter of which the snapshot knows nothing yet
    follow(student, groups, gradients, snapshot=4)
    for others in ([2], [1, 2], [2, 1, 1]):
        expect_raises("ValueError", student.plant(probes).misfit, student.AdamW, [2, 1], others)


@pytest.mark.task("m08.1")
@pytest.mark.holds("Forget the gradients of all parameters.")
def test_zero_grad_forgets_all_gradients(student, draw):
    """After zero_grad every gradient is None or zero."""
    values = [draw.normal(3), draw.normal(2, 4)]
    found = student.plant(probes).cleared(student.AdamW, values)
    zeros = [torch.zeros(3), torch.zeros(2, 4)]
    misses = {"only the first group's gradients are forgotten": oracle.flat([zeros[0], values[1]])}
    what = "what is left of each gradient, in two groups,"
    expect_close(oracle.flat(found), oracle.flat(zeros), atol=FLOAT64, misses=misses, what=what)


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "Part the parameters that need a gradient, each once: those of two axes or more decay; then the rest, which don't.",
    'Example: nn.Linear(3, 2), 0.1: [{"params": [weight], "weight_decay": 0.1}, {"params": [bias], '
    '"weight_decay": 0.0}].',
)
def test_matrices_decay_and_the_rest_does_not(student, draw):
    """decay_groups puts each trainable parameter of a GPT, the tied matrix once, in the group that it belongs to."""
    start = oracle.start(draw)
    gpt = student.plant(model).build(oracle.SIZES, start)
    trained = sorted(name for name in start if not name.startswith("ln_f"))
    matrices = [name for name in trained if start[name].ndim == 2]
    rest = [name for name in trained if start[name].ndim == 1]

    def groups(decaying, others):
        return [{"params": decaying, "weight_decay": 0.25}, {"params": others, "weight_decay": 0.0}]

    misses = {
        "biases and norms decay too": groups(trained, []),
        "biases are told by their names: the weights of norms decay": groups(
            [name for name in trained if name.endswith("weight")], [name for name in rest if name.endswith("bias")]
        ),
        "embeddings have two axes, and decay": groups(
            [n for n in matrices if n[0] != "w"], sorted(rest + [n for n in matrices if n[0] == "w"])
        ),
        "a tied matrix stands in its group twice: each once, whatever names it goes by": groups(
            sorted([*matrices, "wte.weight"]), rest
        ),
        "parameters that need no gradient are in the groups": groups(
            matrices, sorted([*rest, *set(start) - {*trained}])
        ),
        "the groups are the wrong way round: matrices decay": groups(rest, matrices),
    }
    found = student.plant(probes).parted(student.decay_groups, gpt, 0.25)
    expect_equal(found, groups(matrices, rest), misses=misses, what="the list of groups, by parameter names,")


@pytest.mark.task("m08.1")
@pytest.mark.holds(
    "The number of axes decides, and no name.",
)
def test_axes_decide_what_decays_and_names_do_not(student):
    """A matrix called bias decays, a vector called weight doesn't, and no name of a module changes that."""

    def groups(decaying, others):
        return [{"params": sorted(decaying), "weight_decay": 0.25}, {"params": sorted(others), "weight_decay": 0.0}]

    many = ["bias", "ln_weight", "norm.weight", "layers.0.weight"]
    few = ["weight", "kernel", "layers.0.bias", "layers.1.weight", "layers.1.bias"]
    misses = {}
    for words, mistake in BY_NAME.items():
        named = [name for name in [*many, *few] if any(word in name for word in words)]
        misses[mistake] = groups([n for n in [*many, *few] if n not in named], named)
    two = [name for name in [*many, *few] if name in ("bias", "norm.weight", "layers.0.weight")]
    misses["only parameters of exactly two axes decay"] = groups(two, {*many, *few} - {*two})
    found = student.plant(probes).misnamed(student.decay_groups, 0.25)
    expect_equal(found, groups(many, few), misses=misses, what="the list of groups, by parameter names,")


def expect_rates(student, steps, **numbers):
    """Compare a table of rates with the reference."""
    found = [student.learning_rate(step, **numbers) for step in steps]
    expect(all(isinstance(rate, float) or type(rate) is int for rate in found), "A rate is not a float.")
    expected = torch.tensor([oracle.rate(step, **numbers) for step in steps], dtype=torch.float64)
    actual = torch.tensor(found, dtype=torch.float64)
    atol = 1e-12 * numbers["peak"]
    expect_close(actual, expected, atol=atol, misses=oracle.rate_misses(steps, numbers), what="the table of rates")


@pytest.mark.task("m08.2")
@pytest.mark.holds(
    "Example: peak 1, floor 0.2, warmup 2, total 6: steps 1 (the first) to 7 have 0.5, 1, 0.883, 0.6, 0.317, 0.2, 0.2.",
)
def test_the_table_of_the_docstring(student):
    """The docstring's schedule gives 0.5, 1, 0.883, 0.6, 0.317, 0.2 and 0.2 in steps 1 to 7."""
    expect_rates(student, range(1, 8), peak=1.0, floor=0.2, warmup=2, total=6)


@pytest.mark.task("m08.2")
@pytest.mark.holds(
    "Return the rate of a step: a line from 0 at step 0 to peak at warmup, half a cosine to floor at total, floor.",
)
def test_twenty_five_steps_as_a_table(student, draw):
    """Steps 0 to 24 have the rates of a line up, half a cosine down and a floor, whatever the numbers are."""
    numbers = {"peak": draw.random.uniform(1e-3, 2.0), "warmup": draw.random.randrange(3, 8)}
    numbers |= {"floor": numbers["peak"] * draw.random.uniform(0.1, 0.5), "total": draw.random.randrange(16, 22)}
    expect_rates(student, range(25), **numbers)


@pytest.mark.task("m08.2")
@pytest.mark.holds(
    "Return the rate of a step: a line from 0 at step 0 to peak at warmup, half a cosine to floor at total, floor.",
)
def test_after_the_end_the_rate_stays_at_the_floor(student):
    """Long after `total` the rate is still the floor."""
    expect_rates(student, [20, 21, 27, 35, 36, 1000], peak=0.5, floor=0.05, warmup=4, total=20)


@pytest.mark.task("m08.2")
@pytest.mark.holds("Raises ValueError, naming both numbers, unless 0 <= warmup < total.")
def test_a_schedule_may_have_no_warm_up_but_must_fit(student):
    """Neither a warm-up nor a floor of 0 is taken for none; a warm-up below 0 or without steps after it is refused."""
    expect_rates(student, range(13), peak=0.5, floor=0.05, warmup=0, total=10)
    expect_rates(student, range(13), peak=0.5, floor=0.0, warmup=0, total=10)
    for warmup, total in ((12, 12), (13, 12), (-1, 12)):
        numbers = {"peak": 1.0, "floor": 0.1, "warmup": warmup, "total": total}
        expect_raises("ValueError", student.learning_rate, 5, **numbers, mentions=(str(warmup), str(total)))


def expect_clipped(student, gradients, max_norm, atol=FLOAT32_OP):
    """Clip and compare the gradients and the norm."""
    found = student.plant(probes).clip(student.clip_gradients, gradients, max_norm)
    misses, expected = oracle.clip_misses(gradients, max_norm), oracle.clipped(gradients, max_norm)
    expect_close(oracle.flat(found["gradients"]), expected, atol=atol, misses=misses, what="what is left of gradients")
    norm = float(oracle.flat([gradient for gradient in gradients if gradient is not None]).double().norm())
    expect(isinstance(found["norm"], float), "The norm is not a number.")
    each = [gradient for gradient in gradients if gradient is not None]
    norms = {"the norm is taken after clipping": torch.tensor(max_norm), "it lacks its root": torch.tensor(norm**2)}
    norms["absolute values are added up: the norm is the root of the sum of squares"] = oracle.flat(each).abs().sum()
    actual = torch.tensor(found["norm"], dtype=torch.float32)
    expect_close(actual, torch.tensor(norm), atol=FLOAT32_OP * norm, misses=norms, what="the norm")


@pytest.mark.task("m08.2")
@pytest.mark.holds("Example: [3] and [4] with max_norm 1 become [0.6] and [0.8], and 5.0 is returned.")
def test_two_gradients_share_one_norm(student):
    """The docstring's gradients 3 and 4 have the norm 5, and become 0.6 and 0.8."""
    expect_clipped(student, [torch.tensor([3.0]), torch.tensor([4.0])], 1.0)


@pytest.mark.task("m08.2")
@pytest.mark.holds(
    "Return the norm of all gradients as one vector; above max_norm, scale all to it (Pascanu et al. 2013).",
)
@pytest.mark.parametrize("max_norm", [0.5, 3.0])
def test_all_gradients_are_scaled_by_one_factor(student, draw, max_norm):
    """Gradients of several shapes, some missing, keep their direction and get the norm asked for."""
    gradients = [draw.normal(3, 5), None, draw.normal(4, scale=3.0), draw.normal(2, 3, 2), None]
    expect_clipped(student, gradients, max_norm)


@pytest.mark.task("m08.2")
@pytest.mark.holds(
    "Return the norm of all gradients as one vector; above max_norm, scale all to it (Pascanu et al. 2013).",
)
def test_small_gradients_stay_as_they_are(student, draw):
    """Gradients whose norm is below max_norm are left as they are."""
    gradients = [draw.normal(3, 5, scale=0.01), None, draw.normal(4, scale=0.01)]
    expect_clipped(student, gradients, 1.0)


@pytest.mark.task("m08.2")
@pytest.mark.holds("No gradients at all: 0.0.")
def test_no_gradients_have_the_norm_zero(student):
    """Where no parameter has a gradient, and where there is no parameter, the norm is 0.0."""
    for count in (2, 0):
        found = student.plant(probes).clip(student.clip_gradients, [None] * count, 1.0)
        expect_equal(found, {"norm": 0.0, "gradients": []}, what=f"the norm and what is left for {count} parameters")
