"""``edged`` as a shell would start it, with this interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def edged(
    *words: str, cwd: Path | None = None, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ``given`` is its input, ``environment`` is added to ours."""
    return subprocess.run(
        [sys.executable, "-m", "edged", *words],
        cwd=cwd,
        input=given,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
