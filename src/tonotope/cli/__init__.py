"""The command line: parses, calls, prints. What is printed comes from the rooms above."""

from __future__ import annotations

import sys
from typing import NoReturn

from tonotope.cli.process import Interruption, finish_streams, prepare_streams

__all__ = ["main"]


def main() -> NoReturn:
    """Run the command that this process was started with, and end with its exit status."""
    interruption = Interruption()
    status = 0
    try:
        interruption.listen()
        prepare_streams()
        # Worker processes import this module and not what follows; and Ctrl-C may come here, too.
        from tonotope.cli.app import run

        status = run(sys.argv[1:])
        interruption.end()
    except KeyboardInterrupt:
        pass
    finish_streams()
    sys.exit(status if interruption.number is None else 128 + interruption.number)
