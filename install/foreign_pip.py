"""``foreign_pip.py PYTHON ARCH PIP-ARGUMENTS``: pip that resolves as if it ran on another Python and machine.

``pip download --python-version --platform`` picks wheels by their tags, but answers the markers of
requirements (``; python_version < '3.12'``) for the interpreter that it runs in. Here they are answered for
the one that the wheels are for.
"""

from __future__ import annotations

import sys

from pip._internal.cli.main import main
from pip._vendor.packaging import markers

ask_here = markers.default_environment


def answer(python: str, machine: str) -> dict[str, str]:
    """The environment that markers ask about."""
    return {
        **ask_here(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "implementation_version": f"{python}.0",
    }


if __name__ == "__main__":
    _, python, machine, *arguments = sys.argv
    markers.default_environment = lambda: answer(python, machine)  # type: ignore[assignment,return-value]
    sys.exit(main(arguments))
