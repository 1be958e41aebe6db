"""How good a model is, and how sure one may be of that.

Predictions in, figures out: `metrics` (definitions), `significance` (intervals and comparison),
`calibration` (whether probabilities may be believed), `provenance` (whether a model has heard the
clips before), `evaluate` (all of it as one document) and `report` (the document as a page).
Nothing here needs torch or scikit-learn.
"""
