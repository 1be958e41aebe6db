"""How much say each part of a track's description has."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

__all__ = ["PARTS", "PRESETS", "weights_of"]

PARTS = ("embedding", "timbre", "harmony", "rhythm", "dynamics")
"""The parts that a track is described by."""

PRESETS: Mapping[str, Mapping[str, float]] = {
    name: dict(zip(PARTS, weights, strict=True))
    for name, weights in {
        "balanced": (0.60, 0.16, 0.08, 0.10, 0.06),
        "timbre": (0.20, 0.65, 0.05, 0.05, 0.05),
        "rhythm": (0.20, 0.05, 0.05, 0.65, 0.05),
        "mood": (0.30, 0.10, 0.20, 0.20, 0.20),
        "harmony": (0.20, 0.05, 0.65, 0.05, 0.05),
    }.items()
}
"""How much say each part has, by the name of the preset."""


def weights_of(
    weights: str | Mapping[str, float], parts: Collection[str] = PARTS
) -> dict[str, float]:
    """Return how much say each part has; all say together is 1.

    Parameters
    ----------
    weights
        The name of one of the `PRESETS`, in which a part that it does not know counts 1; or
        numbers by part, in which a part that is not named does not count.
    parts
        Those there are.

    Raises
    ------
    ValueError
        If there is no such preset or part, or a number is below 0 or none is above.
    """
    if isinstance(weights, str):
        if weights not in PRESETS:
            raise ValueError(f"no weights are called {weights!r}. There are: {', '.join(PRESETS)}.")
        given = {part: PRESETS[weights].get(part, 1.0) for part in parts}
    else:
        unknown = [part for part in weights if part not in parts]
        if unknown:
            raise ValueError(f"no part is called {unknown[0]!r}. There are: {', '.join(parts)}.")
        given = {part: float(weights.get(part, 0.0)) for part in parts}
    total = sum(given.values())
    if not all(0 <= weight < np.inf for weight in given.values()) or not 0 < total < np.inf:
        shown = ", ".join(f"{part}={weight:g}" for part, weight in given.items())
        raise ValueError(f"weights cannot be {shown}: none below 0, and one at least above.")
    return {part: weight / total for part, weight in given.items()}
