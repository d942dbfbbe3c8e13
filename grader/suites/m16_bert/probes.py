"""What the checks of m16_bert need in the worker: filling and hearing a model, drawing holes, and plain training."""

import torch


def state(model):
    """Return copies of what a model's state_dict holds."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def fill(model, values):
    """Give a model these weights, all of them, in eval mode."""
    model.load_state_dict(values)
    return model.eval()


def overwrite(model, name, value):
    """Change a parameter in place, as an optimizer does."""
    with torch.no_grad():
        model.get_parameter(name).copy_(value)


def on_meta(make):
    """Make a model that has shapes and no data; return how many numbers its parameters hold."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in make().parameters())


def holes(mask_tokens, ids, special, mask_id, vocab_size, seed, *rates):
    """Draw holes by a generator of this seed; return them, the ids afterwards, and whether torch's own drew as well."""
    torch.manual_seed(77)
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(seed)
    found = mask_tokens(ids, special, mask_id, vocab_size, generator, *rates)
    return {"found": found, "ids": ids, "own": not torch.equal(torch.get_rng_state(), before)}


def in_training(module, *args):
    """Run a module in training mode."""
    with torch.no_grad():
        return module.train()(*args)


def frozen(model):
    """Return the names of the parameters that take no gradient."""
    return [name for name, parameter in model.named_parameters() if not parameter.requires_grad]


def losses(loss, tokens, labels, pairs, follows):
    """Return the loss of both heads' scores, its gradients by them, and what all four hold afterwards."""
    leaves = [tokens.clone().requires_grad_(True), pairs.clone().requires_grad_(True)]
    found = loss((leaves[0], leaves[1]), labels, follows)
    if isinstance(found, torch.Tensor) and found.requires_grad:
        found.backward()
    after = [leaves[0].detach(), labels, leaves[1].detach(), follows]
    return {"loss": found.detach(), "gradients": [leaf.grad for leaf in leaves], "after": after}


def pretrain(student, model, batches, special, mask_id, vocab_size, seed, rate, shuffled, rates):
    """Train a model by the submission's own holes and loss, a step for each batch; return its state.

    A batch is ids, types, mask and what follows. Where labels are to be shuffled, what is asked for in one hole is what
    was taken out of another. `rates` holds the rates of the holes, or nothing.
    """
    generator, own = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(seed + 1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98))
    model.train()
    for number, (ids, types, mask, follows) in enumerate(batches):
        optimizer.param_groups[0]["lr"] = rate * min(1, (number + 1) / 10) * (1 - number / len(batches))
        inputs, labels = student["mask_tokens"](ids, ids < special, mask_id, vocab_size, generator, *rates)
        if shuffled:
            labels = labels.clone()
            asked = labels[labels != -100]
            labels[labels != -100] = asked[torch.randperm(len(asked), generator=own)]
        loss = student["pretraining_loss"](model.scores(*model(inputs, types, mask)), labels, follows)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return state(model)
