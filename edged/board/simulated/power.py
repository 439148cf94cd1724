"""Where a simulated board's watts come from: a supply that sags, a battery under the sun."""

from __future__ import annotations

from typing import Final

import msgspec

TRIP: Final = 4.63  # volts, +-5 % from board to board (the firmware's under-voltage detector)
TOLERANCE: Final = 0.05
POLL: Final = 2.0  # seconds between two looks of the kernel at the firmware's bit
CAPPED: Final = 0.4  # of the full clock while the supply is too weak (600 of 1500 MHz)


def volts(open_circuit: float, ohms: float, watts: float) -> float:
    """At the board: V = E - R x I with I = P / V, the larger root; where there is none, what is left is
    half of E.
    """
    under_the_root = open_circuit * open_circuit - 4.0 * ohms * watts
    return 0.5 * (open_circuit + (under_the_root**0.5 if under_the_root > 0.0 else 0.0))


class Battery(msgspec.Struct):
    """``capacity`` watt-hours, ``charge`` 0..1, and a panel of so many watts. What goes in and out loses
    ``loss``. Assumed: 74 Wh (20 Ah at 3.7 V), a panel of 20 W, 10 %.
    """

    capacity: float = 74.0
    charge: float = 0.6
    panel: float = 20.0
    loss: float = 0.1
    draining: bool = True

    def step(self, watts: float, light: float, seconds: float) -> None:
        """Go on by ``seconds`` with a board that takes ``watts`` and a panel that gives its share
        ``light``.
        """
        net = self.panel * light * (1.0 - self.loss) - watts / (1.0 - self.loss)
        self.draining = net < 0.0
        self.charge = min(1.0, max(0.0, self.charge + net * seconds / 3600.0 / self.capacity))
