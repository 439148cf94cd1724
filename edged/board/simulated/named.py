"""Simulated boards by name: ``simulated:BOARD[,WEATHER][,FEATURE ...]``."""

from __future__ import annotations

from typing import Final

import msgspec

from edged.board.simulated.board import SimulatedBoard
from edged.board.simulated.power import Battery
from edged.board.simulated.specs import SPECS
from edged.board.simulated.weather import SKIES
from edged.errors import ConfigError

PREFIX: Final = "simulated:"
DEFAULT_SKY: Final = "room"
NOISE, STEP, DELAY = 1.0, 0.5, 2  # a bad sensor: °C, °C, seconds
WEAK: Final = 0.6  # ohms: a thin cable of two metres (assumed)
#: What may follow the weather, and what it does.
FEATURES: Final[dict[str, str]] = {
    "battery": "a battery of 74 Wh under a panel of 20 W",
    "meter": "a meter in the supply",
    "noisy": "a sensor with 1 °C of noise, steps of 0.5 °C and 2 s of delay",
    "weak": "a thin cable: the supply sags under load",
    "fanless": "a fan that does not turn",
    "noon": "begins at noon instead of midnight",
}


def names() -> list[str]:
    """All boards, as a config spells them."""
    return [PREFIX + one for one in SPECS]


def opened(name: str, seed: int = 1) -> SimulatedBoard:
    """The board called ``name``. Raises ConfigError with what is allowed."""
    board, *words = name.removeprefix(PREFIX).split(",")
    if not name.startswith(PREFIX) or board not in SPECS:
        raise ConfigError(f"there is no simulated board {name!r}", hint=f"one of: {', '.join(names())}")
    skies = [word for word in words if word in SKIES]
    features = {word for word in words if word in FEATURES}
    if len(skies) > 1 or (strange := [word for word in words if word not in SKIES and word not in FEATURES]):
        what = "two kinds of weather" if len(skies) > 1 else f"no {strange[0]!r}"
        raise ConfigError(
            f"a simulated board knows {what}: {name!r}",
            hint=f"one weather ({', '.join(SKIES)}) and any of: {', '.join(FEATURES)}",
        )
    return _built(board, skies[0] if skies else DEFAULT_SKY, features, seed)


def _built(board: str, sky: str, features: set[str], seed: int) -> SimulatedBoard:
    spec, noisy = SPECS[board], "noisy" in features
    if "weak" in features:
        spec = msgspec.structs.replace(spec, ohms=WEAK)
    if "fanless" in features:
        spec = msgspec.structs.replace(spec, fan=())
    return SimulatedBoard(
        spec,
        SKIES[sky],
        seed=seed,
        noise=NOISE if noisy else 0.0,
        step=STEP if noisy else 0.0,
        delay=DELAY if noisy else 0,
        battery=Battery() if "battery" in features else None,
        meter="meter" in features,
        start=43_200.0 if "noon" in features else 0.0,
    )
