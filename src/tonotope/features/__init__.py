"""Descriptors of sound, in librosa's definitions: pure NumPy and SciPy, no file, no state.

:class:`tonotope.features.stream.DescriptorStream` computes all of a track in one pass; the
modules beside it hold each family's functions on arrays. This page imports none of them, so that
asking for the version costs nothing.
"""

from __future__ import annotations

__all__ = ["FEATURE_VERSION"]

FEATURE_VERSION = 1
"""Goes up whenever a number that ends up in a summary vector changes; libraries recompute what
was made by another."""
