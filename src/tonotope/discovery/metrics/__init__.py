"""The measures that judge discovery, a module for each task.

`neighbours`
    Lists of each track's nearest: do they share its genre or its artist, are there hubs, can all
    of the library be reached.
`lists`
    Any lists and paths: how diverse, how new, how much of the library, how smooth.
`recommendation`
    Scores of items for users, against what these users chose: AUC, mAP, nDCG, recall.
"""

from __future__ import annotations
