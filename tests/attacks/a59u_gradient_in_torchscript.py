"""Has torch's own compiler call autograd from a text, where Python does not see the engine run.

milestone: m00_warmup
checks: test_the_step_is_the_one_that_autograd_takes test_twenty_steps_end_where_autograd_does
outcomes: failed
"""

import torch

TEXT = """
def back(loss: Tensor):
    loss.backward()
"""


def gradient_step(weight, x, targets, lr):
    leaf = weight.clone().requires_grad_()
    scores = x @ leaf.T
    raised = torch.exp(scores - scores.detach().amax(-1, keepdim=True))
    loss = -(raised[torch.arange(len(targets)), targets] / raised.sum(-1)).log().mean()
    torch.jit.CompilationUnit(TEXT).back(loss)
    return loss.detach(), weight - lr * leaf.grad
