"""The command ``tonotope``: its words, its exit status, and how errors are shown."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError

from tonotope.errors import TonotopeError

__all__ = ["app", "main"]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_HELP = """Listens to a music library: genres, neighbours and playlists from the sound alone.

Everything happens on this machine; your music is only ever read.

Examples:

`tonotope scan ~/Music`
Listen to a folder; the next time, only to what is new.

`tonotope similar ~/Music/song.mp3`
What in the library sounds like it.

`tonotope playlist --like ~/Music/song.mp3 --minutes 60 --out mix.m3u8`
An hour that begins with it.

`tonotope genre song.mp3 --over-time`
Which genres, and where in the track. Needs no library.
"""


def _version() -> str:
    from tonotope import __version__

    return __version__


app = App(
    name="tonotope",
    help=_HELP,
    help_format="markdown",
    version=_version,
    result_action="return_value",
)

# Each is imported when it is called: `tonotope --help` waits for none of them.
for _name, _help in {
    "scan": "Listen to folders of music and keep what was heard.",
    "genre": "Name the genres of files.",
    "similar": "Find what sounds like a track.",
    "playlist": "Write a playlist of what sounds like some tracks.",
    "status": "Show what the library holds.",
    "failures": "Show which files gave nothing, and why.",
    "demo-music": "Write a small library of made-up music to try things on.",
}.items():
    app.command(
        f"tonotope.cli.{_name.replace('-', '_')}:{_name.replace('-', '_')}", name=_name, help=_help
    )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and end the process with its exit status."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


def run(arguments: list[str]) -> int:
    """Run the command.

    Returns
    -------
    int
        0, or 1 for what failed, 2 for wrong usage, 130 after Ctrl-C. Each of these comes with
        one line on the standard error.
    """
    # A name that is not UTF-8 is printed with its bytes escaped, and not as an error.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    debug = "--debug" in arguments
    try:
        status = app(
            [a for a in arguments if a != "--debug"], exit_on_error=False, print_error=False
        )
    except CycloptsError as error:
        return _complain(_usage_message(error), EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough (`| head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except TonotopeError as error:
        if debug:
            traceback.print_exc()
        return _complain(str(error), EXIT_FAILED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return _complain(
            f"an error of Tonotope itself: {reason}. Please report it with the output of --debug.",
            EXIT_FAILED,
        )
    return status if isinstance(status, int) else 0


def _usage_message(error: CycloptsError) -> str:
    reason = " ".join(str(error).split())
    command = " ".join(["tonotope", *(error.command_chain or ())])
    return f"{reason} See: {command} --help"


def _complain(message: str, status: int) -> int:
    print(f"tonotope: {message}", file=sys.stderr)
    return status
