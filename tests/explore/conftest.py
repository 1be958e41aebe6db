from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tonotope.discovery.map_measures import MapQuality
from tonotope.library.catalogue import Track
from tonotope.session.maps import LibraryMap

HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>$x_{'
GENRES = ("blues", "jazz", "metal", "rock")
GROUPS = {"fast, bright": "#cc6677", "slow & <b>dark</b>": "#332288"}


@pytest.fixture
def made_up() -> Callable[..., LibraryMap]:
    """Return what makes a map of made-up tracks; the eighth has a hostile title."""

    def make(n: int = 60, n_dims: int = 2, groups: bool = True) -> LibraryMap:
        rng = np.random.default_rng(0)
        kinds = rng.integers(0, 4, n)
        corners = np.array([[-0.8, -0.8, 0], [-0.8, 0.8, 0.5], [0.8, -0.8, -0.5], [0.8, 0.8, 0]])
        points = corners[kinds, :n_dims] + rng.uniform(-0.2, 0.2, (n, n_dims))
        names = [*GROUPS, None]
        return LibraryMap(
            method="tsne",
            made_at="2026-11-21T12:00:00+00:00",
            is_new=True,
            is_kept=True,
            n_placed=0,
            n_added=1,
            n_away=0,
            tracks=[
                Track(
                    f"{k:032x}",
                    f"/music/{k}\udce9.flac",
                    HOSTILE if k == 7 else None if k == 8 else f"Träck {k}",
                    HOSTILE if k == 7 else f"Artist {k % 5}",
                    None if k % 2 else "Album",
                    180.0 + k,
                )
                for k in range(n)
            ],
            points=points.astype(np.float32),
            genres=[None if k == 9 else GENRES[kind] for k, kind in enumerate(kinds)],
            genre_shares=rng.uniform(0.3, 1, n),
            tempos_bpm=np.where(np.arange(n) == 9, np.nan, rng.uniform(60, 180, n)),
            groups=[names[kind % 3] if groups else None for kind in kinds],
            group_colours=GROUPS if groups else {},
            quality=MapQuality(10, n, 0.93, 0.4, {}),
        )

    return make
