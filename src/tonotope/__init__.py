"""Tonotope listens to a music library and works from the sound alone."""
