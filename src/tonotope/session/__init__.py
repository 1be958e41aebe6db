"""A library opened for questions: the catalogue, the similarity space and the network together.

What the command line calls, and what `tonotope.Library` is.
"""

from __future__ import annotations

from tonotope.session.library import Library
from tonotope.session.placed import similarity_columns
from tonotope.session.similar import SimilarTrack, SimilarTracks

__all__ = ["Library", "SimilarTrack", "SimilarTracks", "similarity_columns"]
