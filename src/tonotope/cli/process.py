"""What the command line asks of its process: streams to write to, and a quiet end on signals."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["Interruption", "finish_streams", "prepare_streams"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """The first signal that asks the command to end; those that follow change nothing.

    It is raised as `KeyboardInterrupt`, once: what is being stored then can be stored in peace.

    Attributes
    ----------
    number
        The signal's; None while there was none.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_over = False

    def listen(self) -> None:
        """Take over the signals, but for those that are ignored: `nohup` and `&` mean it."""
        for number in _SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def end(self) -> None:
        """Interrupt no more: the command is done."""
        self._is_over = True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number is None and not self._is_over:
            self.number = number
            raise KeyboardInterrupt


def prepare_streams() -> None:
    """Make the standard streams fit to be used, whatever the caller left of them."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            _discard(number)
            # Worker processes inherit the descriptor, so closing it is not for Python to do.
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    # A name that the terminal's encoding lacks is printed with escapes, and not as an error.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def finish_streams() -> None:
    """Write what is left to be written; where nobody takes it any more, leave it at that."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            _discard(stream.fileno())  # or Python complains when it flushes at its end


def _discard(number: int) -> None:
    """Let a descriptor lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, number)  # inheritable, also where both are the same
    if nowhere == number:
        os.set_inheritable(number, True)
    else:
        os.close(nowhere)
