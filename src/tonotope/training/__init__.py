"""From a data set on disk to a model with figures that hold: the only room that imports torch.

What needs no torch (data sets, splits, metrics, the spectrogram cache) does not import it, so that
`tonotope evaluate` and `tonotope prepare` run on the base install.
"""
