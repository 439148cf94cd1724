"""``python -m edged`` is the same as ``edged``."""

from edged.cli import main

main()
