"""How weights follow their gradients, and how the learning rate follows the epochs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

from tonotope.training.config import TrainingConfig

__all__ = ["Plan"]

_ONE_CYCLE_UP = 0.15


class Plan:
    """Optimizer and schedule of a run.

    Parameters
    ----------
    config
        See `TrainingConfig`.
    model
        What is trained.
    n_steps
        Of an epoch.
    """

    def __init__(self, config: TrainingConfig, model: nn.Module, n_steps: int) -> None:
        self._config = config
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = self._new_optimizer()
        self._each_step: OneCycleLR | CosineAnnealingLR | None = None
        self._each_epoch: ReduceLROnPlateau | None = None
        if config.schedule == "one-cycle":
            self._each_step = OneCycleLR(
                self._optimizer,
                config.learning_rate,
                config.epochs * n_steps,
                pct_start=_ONE_CYCLE_UP,
            )
        elif config.schedule == "cosine":
            self._each_step = CosineAnnealingLR(self._optimizer, config.epochs * n_steps)
        elif config.schedule == "plateau":
            self._each_epoch = ReduceLROnPlateau(
                self._optimizer, factor=0.5, patience=config.patience_epochs
            )

    def _new_optimizer(self) -> Optimizer:
        rate, decay = self._config.learning_rate, self._config.weight_decay
        if self._config.optimizer == "adam":
            return Adam(self._parameters, rate, weight_decay=decay)
        if self._config.optimizer == "adamw":
            return AdamW(self._parameters, rate, weight_decay=decay)
        return SGD(self._parameters, rate, momentum=0.9, weight_decay=decay)

    @property
    def learning_rate(self) -> float:
        """The present one."""
        return float(self._optimizer.param_groups[0]["lr"])

    def step(self, loss: Tensor) -> None:
        """Follow the gradient of a loss."""
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._config.gradient_norm:
            torch.nn.utils.clip_grad_norm_(self._parameters, self._config.gradient_norm)
        self._optimizer.step()
        if self._each_step is not None:
            self._each_step.step()

    def end_epoch(self, valid_loss: float) -> None:
        """Take note of the loss on the validation part."""
        if self._each_epoch is not None:
            self._each_epoch.step(valid_loss)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        schedule = self._each_step or self._each_epoch
        return {
            "optimizer": self._optimizer.state_dict(),
            "schedule": None if schedule is None else schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken."""
        self._optimizer.load_state_dict(state["optimizer"])
        schedule = self._each_step or self._each_epoch
        if schedule is not None:
            schedule.load_state_dict(state["schedule"])
