"""A board that is not there: its heat, its firmware, its supply and its battery, second by second.

A product, chosen by name (``board = "simulated:pi4-bare,summer"``) and never silently: it shows what the
governor does with a summer day in a second, and it is what ``benchmarks/governor.py`` measures on.
Deterministic: the same name and seed give the same day.
"""

from edged.board.simulated.board import SimulatedBoard
from edged.board.simulated.named import FEATURES, PREFIX, names, opened
from edged.board.simulated.specs import SPECS, Spec
from edged.board.simulated.weather import SKIES, Sky, Weather

__all__ = [
    "FEATURES",
    "PREFIX",
    "SKIES",
    "SPECS",
    "SimulatedBoard",
    "Sky",
    "Spec",
    "Weather",
    "names",
    "opened",
]
