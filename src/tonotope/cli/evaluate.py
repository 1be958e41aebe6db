"""``tonotope evaluate``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from tonotope.cli.options import JsonOption, WholeNumber
from tonotope.cli.output import complain, counted, print_json, say

__all__ = ["evaluate"]


def evaluate(
    *,
    data: str,
    model: str | None = None,
    split: str | None = None,
    part: Literal["test", "valid", "train", "all"] | None = None,
    against: str | None = None,
    allow_leaks: Annotated[bool, Parameter(negative="")] = False,
    seed: WholeNumber = 0,
    out: str | None = None,
    json: JsonOption = False,
) -> int:
    """Judge a model by labelled clips: how often it is right, and how far that may be believed.

    Parameters
    ----------
    data
        A spectrogram cache (see `tonotope prepare`), or a folder with a folder of audio for each
        genre.
    model
        A model's name, an .onnx file with its card beside it, or the folder of a training run; by
        default the model that comes with Tonotope.
    split
        How the clips are parted: official, random, kfold:K, artist:K, recording:K. By default as
        they are parted themselves, if they are.
    part
        Which part to judge by; by default the test part, or else the validation part, or else all
        clips.
    against
        Another model, to compare with.
    allow_leaks
        Judge although the data's training part shares artists, recordings or sound with the part
        that is judged by. The result is marked as leaky.
    seed
        Of random splits and of the intervals.
    out
        Write a report, one .html page, and its figures as .json beside it.
    """
    from tonotope.cli.progress import counting, scanning
    from tonotope.training.evaluation.data import opened_data
    from tonotope.training.evaluation.report import check_name, write_report
    from tonotope.training.evaluation.run import evaluate_model

    report = None if out is None else check_name(Path(out))
    with ExitStack() as stack:
        with scanning() as show_scan:
            opened = stack.enter_context(opened_data(Path(data), show_scan))
        with counting("Hearing clips") as show:
            document = evaluate_model(
                opened,
                model=model,
                split=split,
                part=part,
                against=against,
                allow_leaks=allow_leaks,
                seed=seed,
                on_progress=show,
            )
    if report is not None:
        beside = write_report(document, report)
    if json:
        print_json(document)
    else:
        _print(document)
        if report is not None:
            say(f"Written to {report} and {beside}")
    if document["leaky"]:
        complain("leaky: what is judged by was trained on, or shares something with it. See leaks.")
    return 0


def _print(document: dict[str, Any]) -> None:
    say(f"{document['model']} on {document['data']}")
    say(f"{document['protocol']}, part {document['part']}: {counted(document['n'], 'clip')}")
    for name, key in (
        ("accuracy", "accuracy"),
        ("balanced accuracy", "balanced_accuracy"),
        ("macro F1", "macro_f1"),
        ("among the first three", "top3"),
    ):
        low, high = document[f"{key}_ci"]
        say(f"  {name:<22} {document[key]:6.1%}   95% interval {low:.1%} to {high:.1%}")
    tracks = document["by_track"]
    if tracks["n"] != document["n"]:
        say(f"  {'accuracy by track':<22} {tracks['accuracy']:6.1%}   of {tracks['n']} tracks")
    say(f"  {'calibration error':<22} {document['ece']:6.3f}")
    if "against" in document:
        _print_comparison(document["against"])
    say(f"  {'genre':<16} precision   recall       F1   clips")
    for genre in document["per_genre"]:
        scores = "".join(f"{genre[key]:9.1%}" for key in ("precision", "recall", "f1"))
        say(f"  {genre['genre']:<16} {scores} {genre['support']:7}")
    for note in document["notes"]:
        say(note)


def _print_comparison(other: dict[str, Any]) -> None:
    low, high = (f"{100 * end:+.1f}" for end in other["difference_ci"])
    say(
        f"  against {other['model']} ({other['accuracy']:.1%}): "
        f"{100 * other['difference']:+.1f} points, 95% interval {low} to {high}; "
        f"McNemar's p {other['mcnemar']['p_value']:.2g}"
    )
