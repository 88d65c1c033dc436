"""VideoPose3D's network (Pavllo et al. 2019, section 3): dilated temporal convolutions with residual blocks.

Names and layout of the parameters are those of the published checkpoints, which therefore load unchanged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TemporalModel(nn.Module):
    """Keypoints of each frame in, outputs of each frame out, every output seeing `receptive_field` frames."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        widths: Sequence[int] = (3, 3, 3, 3),
        channels: int = 1024,
        dropout: float = 0.25,
        pad_clip: bool = True,
    ) -> None:
        """VideoPose3D's `TemporalModel`.

        Args:
            inputs: channels of a frame: two a keypoint in the published checkpoints.
            outputs: channels of a frame's output: three a joint there.
            widths: of the convolutions in time, odd. Each is dilated by the product of those before it.
            pad_clip: repeat the clip's edge frames once for all layers, as published; else every layer repeats its own
                input's, which computes nothing twice and differs only within half the receptive field of the ends.
        """
        super().__init__()
        self.pad_clip = pad_clip
        self.widths = tuple(widths)
        self.expand_conv = nn.Conv1d(inputs, channels, widths[0], bias=False)
        self.expand_bn = nn.BatchNorm1d(channels, momentum=0.1)
        self.layers_conv = nn.ModuleList()
        self.layers_bn = nn.ModuleList()
        dilation = widths[0]
        for width in widths[1:]:
            self.layers_conv.append(nn.Conv1d(channels, channels, width, dilation=dilation, bias=False))
            self.layers_conv.append(nn.Conv1d(channels, channels, 1, bias=False))
            self.layers_bn += [nn.BatchNorm1d(channels, momentum=0.1) for _ in range(2)]
            dilation *= width
        self.shrink = nn.Conv1d(channels, outputs, 1)
        self.drop = nn.Dropout(dropout)

    @property
    def receptive_field(self) -> int:
        """Frames that one output depends on."""
        frames = 1
        for width in self.widths:
            frames *= width
        return frames

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, inputs, F) → (B, outputs, F)."""
        half = self.receptive_field // 2 if self.pad_clip else self.widths[0] // 2
        x = F.pad(x, (half, half), mode="replicate")
        x = self.drop(F.relu(self.expand_bn(self.expand_conv(x))))
        dilation = self.widths[0]
        for block, width in enumerate(self.widths[1:]):
            reach = dilation * (width - 1) // 2
            if self.pad_clip:
                shortcut = x[:, :, reach : x.shape[2] - reach]
            else:
                shortcut, x = x, F.pad(x, (reach, reach), mode="replicate")
            x = self.drop(F.relu(self.layers_bn[2 * block](self.layers_conv[2 * block](x))))
            x = shortcut + self.drop(F.relu(self.layers_bn[2 * block + 1](self.layers_conv[2 * block + 1](x))))
            dilation *= width
        out: Tensor = self.shrink(x)
        return out


def load_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Strict load that tolerates only the optional `num_batches_tracked`.

    Raises:
        KeyError: missing or unexpected keys.
        RuntimeError: other shapes.
    """
    own = model.state_dict()
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in state if k not in own]
    if missing or unexpected:
        raise KeyError(f"missing {missing[:5]}, unexpected {unexpected[:5]}")
    model.load_state_dict({**own, **{k: torch.as_tensor(v) for k, v in state.items()}})
