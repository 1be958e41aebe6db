"""From folders of music to feature tables, and to files of frames; no library is needed.

`extract_table` writes one row per track, `extract_frames` one file of frames per track. Both go
on where an earlier run stopped, and compute only what is new or was made by another version.
"""

from __future__ import annotations

from tonotope.extraction.folder import extract_frames
from tonotope.extraction.run import ExtractionSummary, FailedFile
from tonotope.extraction.sets import parse_set
from tonotope.extraction.table import extract_table

__all__ = ["ExtractionSummary", "FailedFile", "extract_frames", "extract_table", "parse_set"]
