"""BBNN, the bottom-up broadcast network of Liu et al. (2020), exactly as published.

A shallow convolution, three inception blocks of which each hears everything that came before it,
a transition to few maps, and a linear decision over their means: 185 642 trainable weights for ten
genres, whatever the length of the input. Every convolution but the first has a batch normalisation
of its input and a ReLU after it.

The function and its weights are the published ones; the order of the arithmetic is not. Maps are
heard by up to ten point convolutions, each behind a normalisation of its own, and what these share
is done once: the statistics of a map do not depend on who asks for them, nor does its max pooling,
and gain and offset of a normalisation can be multiplied into a point convolution. So each part of
the growing stack of maps is standardised once and goes through one convolution for all that hear
it, and nothing is ever stacked. ReLU and max pooling can change places.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, max_pool2d, relu

from tonotope.training.networks.base import Network

__all__ = ["BBNN"]

_MAPS = 32
_N_BLOCKS = 3
_MAPS_OF_BLOCK = 4 * _MAPS
# Keras' defaults, with which the network was published; PyTorch's momentum is 1 - Keras'.
_EPSILON = 1e-3
_MOMENTUM = 0.01


class BBNN(Network):
    """Liu et al.'s network: see the module."""

    def __init__(self, n_labels: int, n_columns: int) -> None:
        super().__init__(n_labels, n_columns, embedding_size=_MAPS)
        self.shallow = nn.Conv2d(1, _MAPS, 3, padding=1)
        self.shallow_norm = _norm(_MAPS)
        stacked = [_MAPS + k * _MAPS_OF_BLOCK for k in range(_N_BLOCKS + 1)]
        self.blocks = nn.ModuleList(_Inception(n_maps) for n_maps in stacked[:-1])
        self.transition = _NormConv(stacked[-1], 1)
        self.decision_norm = _norm(_MAPS)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # As Keras begins, which the published learning rate of 0.01 belongs to.
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def embed(self, scaled: Tensor) -> Tensor:
        """Return the means of the 32 maps after the transition."""
        blocks = [block for block in self.blocks if isinstance(block, _Inception)]
        direct = _Broadcast(
            [*([b.point, b.before_3, b.before_5] for b in blocks), [self.transition]]
        )
        pooled = _Broadcast([[b.pooled] for b in blocks])
        part = relu(max_pool2d(self.shallow_norm(self.shallow(scaled.unsqueeze(1))), (4, 1)))
        for block in blocks:
            direct.hear(part)
            pooled.hear(max_pool2d(part, 3, stride=1, padding=1))
            part = block(direct.answer(), pooled.answer())
        direct.hear(part)
        maps: Tensor = self.decision_norm(relu(max_pool2d(direct.answer(), 2)))
        return maps.mean(dim=(2, 3))


class _NormConv(nn.Module):
    """Batch normalisation and the convolution after it."""

    def __init__(self, n_maps: int, kernel: int) -> None:
        super().__init__()
        self.norm = _norm(n_maps)
        self.conv = nn.Conv2d(n_maps, _MAPS, kernel, padding=kernel // 2)

    def forward(self, maps: Tensor) -> Tensor:
        convolved: Tensor = self.conv(self.norm(maps))
        return convolved

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of a point convolution that contains the normalisation.

        In training it wants standardised maps, otherwise maps as they are.
        """
        norm, conv = self.norm, self.conv
        gain: Tensor = norm.weight
        offset: Tensor = norm.bias
        if not norm.training:
            assert norm.running_mean is not None and norm.running_var is not None
            gain = gain * torch.rsqrt(norm.running_var + norm.eps)
            offset = offset - gain * norm.running_mean
        assert conv.bias is not None
        # Sums of products, not matrix products: those would be rounded under autocast.
        bias = conv.bias + (conv.weight[:, :, 0, 0] * offset).sum(dim=1)
        return conv.weight * gain[:, None, None], bias


class _Inception(nn.Module):
    """One block; its four point convolutions of the stack are left to `_Broadcast`."""

    def __init__(self, n_maps: int) -> None:
        super().__init__()
        self.point = _NormConv(n_maps, 1)
        self.before_3 = _NormConv(n_maps, 1)
        self.conv_3 = _NormConv(_MAPS, 3)
        self.before_5 = _NormConv(n_maps, 1)
        self.conv_5 = _NormConv(_MAPS, 5)
        self.pooled = _NormConv(n_maps, 1)

    def forward(self, direct: Tensor, pooled: Tensor) -> Tensor:
        """Finish what the point convolutions, ReLU to come, have heard: 96 and 32 maps."""
        point, before_3, before_5 = torch.split(direct, _MAPS, dim=1)
        return relu(
            torch.cat(
                [point, self.conv_3(relu(before_3)), self.conv_5(relu(before_5)), pooled], dim=1
            )
        )


class _Broadcast:
    """Groups of point convolutions over a stack of maps that grows part by part.

    Parameters
    ----------
    groups
        The first group hears the first part alone, the second the first two, and so on.
    """

    def __init__(self, groups: Sequence[Sequence[_NormConv]]) -> None:
        self._groups = groups
        folded = [[conv.folded() for conv in group] for group in groups]
        self._weights = [torch.cat([weight for weight, _ in group]) for group in folded]
        self._biases = [torch.cat([bias for _, bias in group]) for group in folded]
        self._answers: list[Tensor] = []
        self._n_answered = 0
        self._n_maps = 0

    def hear(self, part: Tensor) -> None:
        """Put the next part of the stack through the convolutions of all groups to come."""
        rows = slice(self._n_maps, self._n_maps + part.shape[1])
        groups = self._groups[self._n_answered :]
        norms = [conv.norm for group in groups for conv in group]
        if norms[0].training:
            part = _standardise(part, norms, rows)
        weights = [weight[:, rows] for weight in self._weights[self._n_answered :]]
        # Each group's bias comes with the first part, which all of them hear.
        bias = None if self._answers else torch.cat(self._biases)
        heard = torch.split(
            conv2d(part, torch.cat(weights), bias), [len(weight) for weight in weights], dim=1
        )
        if self._answers:
            heard = tuple(answer + more for answer, more in zip(self._answers, heard, strict=True))
        self._answers = list(heard)
        self._n_maps = rows.stop

    def answer(self) -> Tensor:
        """Return what the next group makes of all that was heard, before its ReLU."""
        self._n_answered += 1
        return self._answers.pop(0)


def _norm(n_maps: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n_maps, eps=_EPSILON, momentum=_MOMENTUM)


def _standardise(part: Tensor, norms: Sequence[nn.BatchNorm2d], rows: slice) -> Tensor:
    """Return a part with mean 0 and variance 1 in each map; let the norms follow its statistics.

    Parameters
    ----------
    part
        Shape (batch, maps, columns, bands).
    norms
        The normalisations that hear the part.
    rows
        Where the part lies in each of them.
    """
    assert norms[0].running_mean is not None
    mean = torch.zeros_like(norms[0].running_mean[rows])
    variance = torch.ones_like(mean)
    # With momentum 1 the running statistics are the batch's.
    standard = batch_norm(part, mean, variance, training=True, momentum=1.0, eps=_EPSILON)
    for norm in norms:
        assert norm.running_mean is not None and norm.running_var is not None
        assert norm.num_batches_tracked is not None
        if rows.start == 0:
            norm.num_batches_tracked.add_(1)
        # No momentum stands for the plain mean of all batches, as everywhere in PyTorch.
        share = norm.momentum if norm.momentum is not None else 1 / int(norm.num_batches_tracked)
        norm.running_mean[rows].lerp_(mean, share)
        norm.running_var[rows].lerp_(variance, share)
    return standard
