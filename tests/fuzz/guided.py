"""The targets under atheris, which is led by the code that is reached: ``make fuzz``, as long as one likes.

    cd tests && python -m fuzz.guided config -max_total_time=600

Needs the extra ``fuzz``. What it finds is written to ``crash-*`` beside it; ``python -m fuzz.guided config
crash-...`` plays it again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edged", "tomllib"]):
    from fuzz import targets

ROOT = Path(__file__).resolve().parents[2]
SEEDS = {
    "config": [*(ROOT / "config").glob("*.toml")],
    "models": [ROOT / "edged/models/catalogue.toml"],
    "question": [],
}
QUESTIONS = (
    {"start": targets.BEGIN, "to": targets.BEGIN + 3600, "every": 60},
    {"last": 1e9, "pipelines": ["yard"], "measures": ["level"], "labels": [""], "zones": []},
    {"everything": True},
)


def main(name: str, *options: str) -> None:
    """Try one target until it fails, or as long as libFuzzer's ``options`` say."""
    target = targets.TARGETS[name]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed{number}").write_bytes(seed.read_bytes())
        if name == "question":
            for number, asked in enumerate(QUESTIONS):
                (Path(folder) / f"seed{number}").write_text(json.dumps(asked))
        files = [one for one in options if not one.startswith("-")]
        given = [*options] if files else [*options, folder]
        atheris.Setup([sys.argv[0], "-max_len=30000", "-timeout=20", "-rss_limit_mb=2048", *given], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
