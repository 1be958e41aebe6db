"""Networks and their cards: from sound to genre and embedding; models that a person adds.

Reading a card needs no runtime; :mod:`tonotope.models.network`, for the project's own
representation, and :mod:`tonotope.models.encoder`, for any, load ONNX Runtime.
"""
