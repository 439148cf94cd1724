"""The sysfs source: any files that hold a number each, as their owner names them."""

from __future__ import annotations

from pathlib import Path

from edged.config import shape
from edged.worker.source import WantWindow
from edged.worker.source.polled import PolledSource, opened


class SysfsSource(PolledSource):
    """value = what the file says x scale + offset."""

    def __init__(self, config: shape.Sysfs, want: WantWindow) -> None:
        probes = opened(
            (name, Path(one.path), one.scale, one.offset) for name, one in config.channels.items()
        )
        super().__init__(probes, want, config.sample_rate, config.timeout, "sysfs")
