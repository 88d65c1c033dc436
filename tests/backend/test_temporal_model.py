"""VideoPose3D's network: against a slow twin, and in the layout of the published checkpoints."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from inference_backend.lifters.temporal_model import TemporalModel, load_state

D = torch.float64


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def temporal_model(pad_clip: bool, widths: tuple[int, ...] = (3, 3, 3)) -> TemporalModel:
    """With batch norms that are not the identity."""
    torch.manual_seed(0)
    model = TemporalModel(6, 4, widths=widths, channels=8, pad_clip=pad_clip).double()
    model.train()
    for _ in range(3):
        model(torch.randn(4, 6, 60, dtype=D))
    return model.eval()


def slow_temporal_model(model: TemporalModel, x: Tensor) -> Tensor:
    """The readable twin: valid convolutions over each output's own frames, the clip's edge frames repeated outside.

    Pavllo et al. 2019, figure 3. Shape: (B, inputs, F) → (B, outputs, F).
    """

    def norm(x: Tensor, layer: torch.nn.BatchNorm1d) -> Tensor:
        assert layer.running_mean is not None
        assert layer.running_var is not None
        scale = layer.weight / (layer.running_var + 1e-5).sqrt()
        return (x - layer.running_mean[:, None]) * scale[:, None] + layer.bias[:, None]

    half, frames = model.receptive_field // 2, x.shape[2]
    outputs = []
    for t in range(frames):
        y = torch.stack([x[:, :, min(max(i, 0), frames - 1)] for i in range(t - half, t + half + 1)], -1)
        y = F.relu(norm(F.conv1d(y, model.expand_conv.weight), model.expand_bn))
        dilation = model.widths[0]
        for block, width in enumerate(model.widths[1:]):
            cut = dilation * (width // 2)
            z = F.conv1d(y, model.layers_conv[2 * block].weight, dilation=dilation)
            z = F.relu(norm(z, model.layers_bn[2 * block]))
            z = F.relu(norm(F.conv1d(z, model.layers_conv[2 * block + 1].weight), model.layers_bn[2 * block + 1]))
            y = y[:, :, cut:-cut] + z
            dilation *= width
        assert y.shape[2] == 1
        outputs.append(F.conv1d(y, model.shrink.weight, model.shrink.bias))
    return torch.cat(outputs, -1)


@pytest.mark.parametrize("frames", [1, 2, 30])
@pytest.mark.parametrize("widths", [(3,), (3, 3, 3), (3, 5)])
def test_the_network_equals_its_slow_twin(frames: int, widths: tuple[int, ...]) -> None:
    model, x = temporal_model(True, widths), torch.randn(2, 6, frames, dtype=D, generator=rng(1))
    y = model(x)
    assert y.shape == (2, 4, frames)
    torch.testing.assert_close(y, slow_temporal_model(model, x), atol=1e-10, rtol=0)


def test_padding_each_layer_differs_only_near_the_ends() -> None:
    model, x = temporal_model(False), torch.randn(1, 6, 70, dtype=D, generator=rng(1))
    assert model.receptive_field == 27
    slow, y = slow_temporal_model(model, x), model(x)
    torch.testing.assert_close(y[:, :, 13:-13], slow[:, :, 13:-13], atol=1e-10, rtol=0)
    assert (y - slow)[:, :, [0, -1]].abs().max() > 1e-6


def test_keys_and_shapes_are_the_published_checkpoints() -> None:
    """`pretrained_h36m_cpn.bin`: 17 keypoints, 243 frames, 1024 channels."""
    state = TemporalModel(34, 51, widths=(3, 3, 3, 3, 3)).state_dict()
    wanted: dict[str, tuple[int, ...]] = {"expand_conv.weight": (1024, 34, 3)}
    wanted |= {"shrink.weight": (51, 1024, 1), "shrink.bias": (51,)}
    for block in range(4):
        wanted[f"layers_conv.{2 * block}.weight"] = (1024, 1024, 3)
        wanted[f"layers_conv.{2 * block + 1}.weight"] = (1024, 1024, 1)
    for norm in ("expand_bn", *(f"layers_bn.{i}" for i in range(8))):
        wanted |= {f"{norm}.{part}": (1024,) for part in ("weight", "bias", "running_mean", "running_var")}
        wanted[f"{norm}.num_batches_tracked"] = ()
    assert {key: tuple(value.shape) for key, value in state.items()} == wanted
    assert TemporalModel(34, 51, widths=(3, 3, 3, 3, 3)).receptive_field == 243


def test_load_state_is_strict_but_for_the_batch_count() -> None:
    source, model = temporal_model(True), temporal_model(True)
    state = {key: value + 1 for key, value in source.state_dict().items() if not key.endswith("num_batches_tracked")}
    load_state(model, state)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in state.items())
    with pytest.raises(KeyError, match=r"missing \['shrink.bias'\]"):
        load_state(model, {key: value for key, value in state.items() if key != "shrink.bias"})
    with pytest.raises(KeyError, match=r"unexpected \['shrink.extra'\]"):
        load_state(model, {**state, "shrink.extra": torch.zeros(1)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_state(model, {**state, "shrink.bias": torch.zeros(5)})
