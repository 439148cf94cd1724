"""What the board under us says about itself: heat, power, card. Reads files and one firmware call; writes
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edged.errors import ConfigError

if TYPE_CHECKING:
    from edged.board.vitals import Board


def opened(name: str) -> Board:
    """The board that ``[governor] board`` names: "auto" is the one under us, "simulated:…" one that is not
    there. Raises ConfigError with what is allowed. What it is not, is not loaded.
    """
    if name == "auto":
        from edged.board.telemetry import Telemetry

        return Telemetry()
    from edged.board import simulated

    if not name.startswith(simulated.PREFIX):
        raise ConfigError(
            f"there is no board {name!r}",
            hint=f'"auto" is the one under us; simulated are {", ".join(simulated.names())}',
        )
    return simulated.opened(name)
