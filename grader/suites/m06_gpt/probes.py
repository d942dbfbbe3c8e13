"""What the checks of m06_gpt need inside the worker: filling, changing and listening to a student's model."""

import torch

CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def tensors(model):
    """Return a copy of everything in the model's state_dict, by name."""
    return {key: value.detach().clone() for key, value in model.state_dict().items()}


def fill(model, state):
    """Give a model the weights of `state` (the matrices as nn.Linear has them), in eval mode."""
    model.load_state_dict({**state, "lm_head.weight": state["wte.weight"]})
    return model.eval()


def fill_from_file(model, state):
    """Give a model the weights of a checkpoint as its file lays them out, in eval mode."""
    state = {key.removeprefix("transformer."): value for key, value in state.items()}
    state = {key: value.T if key.endswith(CONV1D) else value for key, value in state.items()}
    return fill(model, {key: v for key, v in state.items() if not key.endswith((".attn.bias", ".attn.masked_bias"))})


def on_meta(make, config):
    """Make a model that has shapes and no data."""
    with torch.device("meta"):
        return make(config)


def overwrite(model, name, value):
    """Change a part's weight in place, as an optimizer does."""
    with torch.no_grad():
        getattr(model, name).weight.copy_(value)


def zeroed_afterwards(load, model, state):
    """Load `state`, set everything in the model to 0 in place, and return what `state` then holds."""
    load(model, state)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.zero_()
    return state


def on_slices(loss, logits, targets):
    """Call a loss with slices, which are views with gaps in them."""
    return loss(logits[:, :-1], targets[:, 1:])


def freeze(model):
    """Freeze the parameters of the last norm and give the model a buffer."""
    for parameter in model.ln_f.parameters():
        parameter.requires_grad_(False)
    model.register_buffer("noted", torch.zeros(5))
    return model


def listen(model, ids, names):
    """Run the model, and return what each named part was given and gave back, the first time that it ran."""
    inputs, outputs, hooks = {}, {}, []

    def hear(name):
        def hook(_, args, output):
            output = output[0] if isinstance(output, tuple | list) else output
            if name not in outputs and isinstance(output, torch.Tensor):
                outputs[name] = output.detach().clone()
                if args and isinstance(args[0], torch.Tensor) and args[0].is_floating_point():
                    inputs[name] = args[0].detach().clone()

        return hook

    parts = dict(model.named_modules())
    for name in names:
        if name in parts:
            hooks.append(parts[name].register_forward_hook(hear(name)))
    try:
        with torch.no_grad():
            model(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return {"inputs": inputs, "outputs": outputs}


def replaced(change, model, *args):
    """Change a model's weights by a function; return the names of parameters that are not the ones from before."""
    before = dict(model.named_parameters())
    change(model, *args)
    return [name for name, parameter in model.named_parameters() if before.get(name) is not parameter]
