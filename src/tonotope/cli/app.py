"""The command ``tonotope``: its words, its exit status, and how errors are shown."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import NoReturn

from cyclopts import App, CycloptsError

from tonotope.cli.demo_music import demo_music
from tonotope.cli.failures import failures
from tonotope.cli.genre import genre
from tonotope.cli.playlist import playlist
from tonotope.cli.scan import scan
from tonotope.cli.similar import similar
from tonotope.cli.status import status
from tonotope.errors import InputError, TonotopeError

__all__ = ["app", "main"]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_HELP = """Listens to a music library: genres, neighbours and playlists from the sound alone.

Everything happens on this machine; your music is only ever read."""

_EXAMPLES = """Examples:

  tonotope scan ~/Music
      Listen to a folder; the next time, only to what is new.
  tonotope similar ~/Music/song.mp3
      What in the library sounds like it.
  tonotope playlist --like ~/Music/song.mp3 --minutes 60 --out mix.m3u8
      An hour that begins with it.
  tonotope genre song.mp3 --over-time
      Which genres, and where in the track. Needs no library.
"""


def _version() -> str:
    return version("tonotope")


app = App(
    name="tonotope",
    help=_HELP,
    help_epilogue=_EXAMPLES,
    help_format="plaintext",
    version=_version,
    result_action="return_value",
)

# These modules import the rooms when their command runs: `--help` waits for none of them.
_EXAMPLES_OF: dict[Callable[..., int | None], str] = {
    scan: """
  tonotope scan ~/Music
  tonotope scan ~/Music /media/usb --jobs 2 --nice 10
  tonotope scan ~/Music --retry-failed --json
""",
    genre: """
  tonotope genre song.mp3
  tonotope genre *.flac --top 5
  tonotope genre symphony.ogg --over-time
""",
    similar: """
  tonotope similar ~/Music/song.mp3
  tonotope similar song.mp3 --n 20 --per-artist 1 --json
""",
    playlist: """
  tonotope playlist --like song.mp3 --minutes 60 --out mix.m3u8
  tonotope playlist --like one.mp3 other.flac --n 25 --out mix.m3u8
""",
    status: """
  tonotope status
  tonotope status --library /media/usb/music.db --json
""",
    failures: """
  tonotope failures
""",
    demo_music: """
  tonotope demo-music demo-music
""",
}
for _command, _examples in _EXAMPLES_OF.items():
    app.command(_command, help_epilogue=f"Examples:\n{_examples}")


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
        code = app([a for a in arguments if a != "--debug"], exit_on_error=False, print_error=False)
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
        usage = isinstance(error, InputError)
        return _complain(str(error), EXIT_USAGE if usage else EXIT_FAILED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return _complain(
            f"an error of Tonotope itself: {reason}. Please report it with the output of --debug.",
            EXIT_FAILED,
        )
    return code if isinstance(code, int) else 0


def _usage_message(error: CycloptsError) -> str:
    reason = " ".join(str(error).split())
    command = " ".join(["tonotope", *(error.command_chain or ())])
    return f"{reason} See: {command} --help"


def _complain(message: str, status: int) -> int:
    print(f"tonotope: {message}", file=sys.stderr)
    return status
