"""``python -m tonotope``."""

from __future__ import annotations

from tonotope.cli import main

if __name__ == "__main__":
    main()
