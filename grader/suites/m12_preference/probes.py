"""What the checks of m12_preference need in the worker: copies of a state, and two loops that train."""

import torch


def state(model):
    """Return copies of what a model's state_dict holds."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def slopes(function, args, weights, module=None):
    """Differentiate (function(*args) * weights).sum() by every floating argument, and by a module's parameters.

    Where nothing arrives, or there is no graph at all, there are zeros.
    """
    floating = [isinstance(arg, torch.Tensor) and arg.is_floating_point() for arg in args]
    given = [arg.clone().requires_grad_(True) if yes else arg for arg, yes in zip(args, floating, strict=True)]
    by_name = dict(module.named_parameters()) if module is not None else {}
    leaves = [arg for arg, yes in zip(given, floating, strict=True) if yes] + list(by_name.values())
    total = (function(*given) * weights).sum()
    found = torch.autograd.grad(total, leaves, allow_unused=True) if total.requires_grad else [None] * len(leaves)
    filled = [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, found, strict=True)]
    count = len(leaves) - len(by_name)
    return {"args": filled[:count], "parameters": dict(zip(by_name, filled[count:], strict=True))}


def pulls(estimates, logp, reference, weights):
    """Differentiate the weighted sum of each estimate by logp; zeros where nothing arrives, or there is no graph."""
    found = []
    for number in range(3):
        leaf = logp.clone().requires_grad_(True)
        total = (estimates(leaf, reference)[number] * weights).sum()
        (slope,) = torch.autograd.grad(total, [leaf], allow_unused=True) if total.requires_grad else (None,)
        found.append(torch.zeros_like(leaf) if slope is None else slope)
    return found


def traced(gae, rewards, values, mask, gamma, lam):
    """Call gae with rewards and values that need a gradient; return the result, and whether it has a graph."""
    given = [part.clone().requires_grad_(True) for part in (rewards, values)]
    found = gae(*given, mask, gamma, lam)
    return {"result": found.detach(), "graph": found.requires_grad}


def _descent(parameters, rate, steps):
    """Return a function that takes a step of Adam at a rate of its own: a short warm-up, then a line to 0."""
    spare = torch.zeros(1, requires_grad=True)  # where nothing can be trained, nothing moves
    optimizer = torch.optim.Adam([*parameters, spare], lr=rate, betas=(0.9, 0.95))

    def step(number, loss):
        optimizer.param_groups[0]["lr"] = rate * min(1, (number + 1) / 5) * (1 - number / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def prefer(student, gpt, reference, names, ids, mask, picks, beta, rate):
    """Train what is named of a model by DPO, and return its state.

    Rows of ids come in pairs, the chosen one first; `picks` are the pairs of each step.
    """
    for name, parameter in gpt.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(names)))
    step = _descent([parameter for parameter in gpt.parameters() if parameter.requires_grad], rate, len(picks))

    def likelihood(model, rows):
        return student["sequence_logprobs"](model(ids[rows]), ids[rows], mask[rows])

    for number, pairs in enumerate(picks):
        rows = torch.cat([2 * pairs, 2 * pairs + 1])
        with torch.no_grad():
            fixed = likelihood(reference, rows).chunk(2)
        step(number, student["dpo_loss"](*likelihood(gpt, rows).chunk(2), *fixed, beta))
    return state(gpt)


def sampled(gpt, prompts, count, end_id, generator):
    """Let a model write `count` tokens after each prompt; return ids and which of them count: up to an end token.

    The dice are the CPU's, wherever the model is; where it gives no numbers any more, every token is as likely.
    """
    ids, going = prompts, torch.ones_like(prompts[:, 0], dtype=torch.bool)
    mask = torch.zeros_like(prompts, dtype=torch.bool)
    for _ in range(count):
        chances = gpt(ids)[:, -1].softmax(dim=-1).cpu()
        chances = chances.where(chances.isfinite(), 1.0)
        drawn = torch.multinomial(chances, 1, generator=generator).to(ids.device)
        ids, mask = torch.cat([ids, drawn], dim=1), torch.cat([mask, going[:, None]], dim=1)
        going = going & (drawn[:, 0] != end_id)
    return ids, mask


def follow(student, gpt, reference, worth, recipe, seed, lot):
    """Train a model by rounds of groups, comparison and clipped steps, and return its state.

    `worth` says what each token earns; with `lot` rewards are drawn instead. `recipe` holds the numbers of the rounds.
    """
    generator, steps = torch.Generator().manual_seed(seed), recipe["rounds"] * recipe["passes"]
    step = _descent(gpt.parameters(), recipe["rate"], steps)
    for number in range(recipe["rounds"]):
        prompts = torch.randint(1, len(worth), (recipe["groups"], 1), generator=generator)
        with torch.no_grad():
            prompts = prompts.repeat_interleave(recipe["size"], dim=0).to(worth.device)
            ids, mask = sampled(gpt, prompts, recipe["count"], 0, generator)
            old, fixed = (student["token_logprobs"](model(ids), ids) for model in (gpt, reference))
            earned = (worth[ids] * mask).sum(dim=1) / recipe["count"]
            if lot:
                earned = torch.rand(len(earned), generator=generator).to(worth.device)
            gains = student["group_advantages"](earned.view(recipe["groups"], recipe["size"])).reshape(-1, 1)
        mask = mask[:, 1:]
        for turn in range(recipe["passes"]):
            now = student["token_logprobs"](gpt(ids), ids)
            apart = student["kl_estimates"](now, fixed)[2]
            loss = student["clipped_loss"](now, old, gains, mask, recipe["eps"])
            loss = loss + recipe["beta"] * (apart * mask).sum() / mask.sum()
            step(number * recipe["passes"] + turn, loss)
    return state(gpt)
