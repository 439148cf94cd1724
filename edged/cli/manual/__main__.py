"""``python -m edged.cli.manual [FOLDER]``: write the pages that are made of the code, into ``man/`` of the
checkout by default.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edged.cli.manual import commands, settings

#: File name -> who writes it.
PAGES = {"edged.1": commands.page, "edged.toml.5": settings.page}


def main(folder: Path) -> None:
    """Write every page that has changed, and say which."""
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {path}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[3] / "man")
