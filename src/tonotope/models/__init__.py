"""Networks and their cards: from mel power to genre and embedding.

Reading a card needs no runtime; :mod:`tonotope.models.network` loads ONNX Runtime.
"""
