"""The command ``tonotope``: its words, its exit status, and how errors are shown."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from itertools import pairwise

from cyclopts import App, CycloptsError

from tonotope.cli.augment import augment
from tonotope.cli.clusters import clusters
from tonotope.cli.demo_music import demo_music
from tonotope.cli.duplicates import duplicates
from tonotope.cli.evaluate import evaluate
from tonotope.cli.failures import failures
from tonotope.cli.features import features
from tonotope.cli.feedback import feedback
from tonotope.cli.genre import genre
from tonotope.cli.judge import judge
from tonotope.cli.map import map_
from tonotope.cli.models import models
from tonotope.cli.output import complain
from tonotope.cli.path import path
from tonotope.cli.playlist import playlist
from tonotope.cli.plays import plays
from tonotope.cli.prepare import prepare
from tonotope.cli.radio import radio
from tonotope.cli.recommend import recommend
from tonotope.cli.scan import scan
from tonotope.cli.similar import similar
from tonotope.cli.status import status
from tonotope.cli.train import train
from tonotope.errors import InputError, TonotopeError

__all__ = ["app", "run"]

EXIT_FAILED = 1
EXIT_USAGE = 2

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

Every command also takes --debug: show where in the program an error came from.
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
    suppress_keyboard_interrupt=False,  # `main` gives each signal its own status
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
  tonotope similar song.mp3 --n 5 --why
  tonotope similar song.mp3 --weights rhythm
  tonotope similar song.mp3 --weights timbre=2,harmony=1
  tonotope similar song.mp3 --n 20 --per-artist 1 --json
""",
    playlist: """
  tonotope playlist --like song.mp3 --minutes 60 --out mix.m3u8
  tonotope playlist --like one.mp3 other.flac --n 25 --diversity 0.3 --order flow --out mix.xspf
  tonotope playlist --mood calm --year 1990-1999 --tempo -100 --arc wave --out calm.m3u8
""",
    path: """
  tonotope path calm.mp3 wild.mp3
  tonotope path one.mp3 other.flac --n 20 --out way.m3u8
""",
    radio: """
  tonotope radio --like song.mp3
  tonotope radio --like song.mp3 --weights learned
  printf 'next\nlike\nskip\n' | tonotope radio --like song.mp3 --json
""",
    clusters: """
  tonotope clusters
  tonotope clusters --k 12
  tonotope clusters --k auto --method gmm --space all --json
  tonotope clusters --data gtzan-mel --model runs/mine --part valid --k 10
""",
    duplicates: """
  tonotope duplicates
  tonotope duplicates --kind same --kind remaster --json
  tonotope duplicates --merge best.flac other.mp3
  tonotope duplicates --undo other.mp3
""",
    map_: """
  tonotope map --out map.html
  tonotope map --dims 3 --method pca --out map.html
  tonotope map --fresh --out map.png
""",
    features: """
  tonotope features ~/Music --out table.csv
  tonotope features ~/Music --set fma518 --out table.parquet
  tonotope features song.mp3 --set mfcc,tempo --frames --out frames
""",
    evaluate: """
  tonotope evaluate --data gtzan-mel --out report.html
  tonotope evaluate --model runs/mine --data gtzan-mel --part valid --against tonotope-1
""",
    judge: """
  tonotope judge
  tonotope judge --space both-corrected --json
  tonotope judge --data gtzan-mel --part valid --model runs/mine
""",
    prepare: """
  tonotope prepare gtzan --root ~/gtzan --out gtzan-cache
  tonotope prepare folders --root ~/my-genres --out my-cache --windows 3
  tonotope prepare library --label genre --out library-cache
""",
    train: """
  tonotope train --data CACHE
  tonotope train --model bbnn --preset liu2020 --data CACHE --split official
  tonotope train --model svm --features mfcc --data CACHE --split artist:5
  tonotope train --data CACHE --heads genre,multi-label,regression:tempo_bpm
  tonotope train --model bbnn --describe --json
""",
    recommend: """
  tonotope recommend
  tonotope recommend --user rob --n 50 --json
""",
    status: """
  tonotope status
  tonotope status --library /media/usb/music.db --json
""",
    failures: """
  tonotope failures
""",
    augment: """
  tonotope augment --list
  tonotope augment song.mp3 --with pitch-shift --out x.wav --seed 3
  tonotope augment song.mp3 --with specaugment,random-eq --out x.wav --picture x.png
  tonotope augment song.mp3 --with mixup --other second.flac --out x.wav
""",
    demo_music: """
  tonotope demo-music demo-music
""",
}
for _command, _examples in _EXAMPLES_OF.items():
    app.command(_command, help_epilogue=f"Examples:\n{_examples}")
app.command(feedback)
app.command(models)
app.command(plays)


def run(arguments: list[str]) -> int:
    """Run the command.

    Returns
    -------
    int
        0, or 1 for what failed and 2 for wrong usage, which come with one line on the standard
        error.

    Raises
    ------
    KeyboardInterrupt
        Where a signal asked it to end.
    """
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        _refuse_empty_words(words)
        code = app(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _fail(_usage_message(error), EXIT_USAGE)
    except BrokenPipeError:
        return EXIT_FAILED  # whoever read the output has had enough (`| head`)
    except TonotopeError as error:
        if debug:
            traceback.print_exc()
        usage = isinstance(error, InputError)
        return _fail(str(error), EXIT_USAGE if usage else EXIT_FAILED)
    except Exception as error:
        if debug:
            traceback.print_exc()
        if isinstance(error, OSError) and error.filename is None:
            return _fail(f"cannot write the output: {error.strerror}", EXIT_FAILED)
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return _fail(
            f"an error of Tonotope itself: {reason}. Please report it with the output of --debug.",
            EXIT_FAILED,
        )
    return code if isinstance(code, int) else 0


def _refuse_empty_words(words: list[str]) -> None:
    """Refuse what an unset shell variable leaves; as a path it would mean the current folder."""
    for before, word in pairwise(["tonotope", *words]):
        option, _, value = word.partition("=")
        is_empty_option = option.startswith("--") and word != option and not value
        if not word or is_empty_option:
            place = f"for {option}" if is_empty_option else f"after '{before}'"
            raise InputError(f"an empty word {place} (an unset variable?). See: tonotope --help")


def _usage_message(error: CycloptsError) -> str:
    reason = " ".join(str(error).split())
    command = " ".join(["tonotope", *(error.command_chain or ())])
    return f"{reason} See: {command} --help"


def _fail(message: str, status: int) -> int:
    with suppress(OSError):  # the standard error may be what cannot be written to
        complain(message)
    return status
