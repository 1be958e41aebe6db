"""From vectors to answers: the similarity space, neighbours and playlists.

Pure: arrays and small records in, arrays and small records out. Files and the catalogue are
unknown here.
"""

from __future__ import annotations

from tonotope.discovery.neighbours import Neighbour, nearest
from tonotope.discovery.recordings import TrackFacts
from tonotope.discovery.space import SimilaritySpace

__all__ = ["Neighbour", "SimilaritySpace", "TrackFacts", "nearest"]
