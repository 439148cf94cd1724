"""The folder of configs that come with edged: ``edged/share`` in a wheel, ``config`` in a checkout."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Where edged.toml, demo.toml and edged.schema.json are."""
    package = Path(__file__).parent.parent
    installed = package / "share"
    return installed if installed.is_dir() else package.parent / "config"
