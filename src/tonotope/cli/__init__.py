"""The command line: parses, calls, prints. What is printed comes from the rooms above."""

from __future__ import annotations

from tonotope.cli.app import main

__all__ = ["main"]
