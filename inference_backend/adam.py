"""Adam (Kingma & Ba 2015, algorithm 1) with falling step lengths.

torch.optim.Adam takes the same steps, but first loads torch's compiler: 1 s and 70 MB, more than a short clip's fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def minimise(
    loss_of: Callable[..., Tensor], values: Sequence[Tensor], rates: Sequence[float], iterations: int
) -> list[Tensor]:
    """What `values` are after some steps, of first lengths `rates` that fall to a tenth. `loss_of` takes them all."""
    values = list(values)
    means, squares = [torch.zeros_like(v) for v in values], [torch.zeros_like(v) for v in values]
    for step in range(iterations):
        with torch.enable_grad():
            variables = [v.detach().requires_grad_() for v in values]
            gradients = torch.autograd.grad(loss_of(*variables), variables)
        fall = 1 - 0.9 * step / iterations
        for i, gradient in enumerate(gradients):
            means[i] = means[i].lerp(gradient, 0.1)
            squares[i] = squares[i].lerp(gradient.square(), 0.001)
            length = rates[i] * fall / (1 - 0.9 ** (step + 1))
            values[i] = values[i] - length * means[i] / ((squares[i] / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
    return values
