"""A network that is taught by another: it has to tell the teacher's tags, too.

The tags are told by one linear layer, which is thrown away afterwards: from the embedding of the
whole excerpt, or, where the network hears in steps, at every place the teacher's windows may lie.
What was heard in three seconds says far more than the mean of ten, and cannot be told by knowing
the clip again.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonotope.training.networks.base import Network, SteppedNetwork
from tonotope.training.teacher import WINDOW_SHARE

__all__ = ["Student", "tag_centres"]


def tag_centres(network: Network, n_columns: int, n_clip_columns: int) -> Tensor | None:
    """Return where in an excerpt tags are told, from 0 (its beginning) to 1 (its end).

    Parameters
    ----------
    network
        What is trained.
    n_columns, n_clip_columns
        Of an excerpt, and of the whole clip.

    Returns
    -------
    Tensor or None
        The centres of the windows, shape (n_places,); None where the network has no steps and
        tells the tags of the excerpt as a whole.
    """
    if not isinstance(network, SteppedNetwork):
        return None
    n_steps = n_columns // network.step_columns
    width = _window_steps(network, n_steps, n_clip_columns)
    return (torch.arange(n_steps - width + 1) + width / 2) / n_steps


def _window_steps(network: SteppedNetwork, n_steps: int, n_clip_columns: int) -> int:
    return min(n_steps, max(1, round(WINDOW_SHARE * n_clip_columns / network.step_columns)))


class Student(nn.Module):
    """A network, and what tells the teacher's tags.

    Parameters
    ----------
    network
        What is trained.
    n_tags
        How many tags there are; 0 without a teacher.
    n_columns, n_clip_columns
        See `tag_centres`.
    """

    def __init__(self, network: Network, n_tags: int, n_columns: int, n_clip_columns: int) -> None:
        super().__init__()
        self.network = network
        self.window_steps = 0
        size = network.embedding_size
        if isinstance(network, SteppedNetwork):
            n_steps = n_columns // network.step_columns
            self.window_steps = _window_steps(network, n_steps, n_clip_columns)
            size = network.step_size
        self.tags = nn.Linear(size, n_tags) if n_tags else None

    def forward(self, log_mel: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Hear excerpts.

        Parameters
        ----------
        log_mel
            Shape (batch, n_columns, 128), dB.

        Returns
        -------
        logits, tags, others : Tensor or None
            Shapes (batch, n_labels), (batch, n_tags) or (batch, n_places, n_tags), and
            (batch, n_outputs); None without a teacher, or without other heads.
        """
        network, tags = self.network, None
        if self.tags is not None and isinstance(network, SteppedNetwork):
            steps = network.steps(network.scaled(log_mel))
            embedding = network.summarise(steps)
            windows = functional.avg_pool1d(steps.transpose(1, 2), self.window_steps, stride=1)
            tags = self.tags(windows.transpose(1, 2))
        else:
            embedding = network.embed(network.scaled(log_mel))
            if self.tags is not None:
                tags = self.tags(embedding)
        others = None if network.others is None else network.others(embedding)
        return network.head(embedding), tags, others
