"""Made-up trees of sysfs, device tree and procfs: boards that are not at hand, as their kernels show them."""

from __future__ import annotations

from pathlib import Path


def planted(root: Path, files: dict[str, str | bytes]) -> Path:
    """Write ``files`` (path below root -> content) and return the root."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def zone(number: int, kind: str, temp: str, **trips: int) -> dict[str, str | bytes]:
    """A thermal zone's files; ``trips`` are milli-degrees by type."""
    folder = f"class/thermal/thermal_zone{number}"
    files: dict[str, str | bytes] = {f"{folder}/type": f"{kind}\n", f"{folder}/temp": f"{temp}\n"}
    for place, (trip, at) in enumerate(trips.items()):
        files[f"{folder}/trip_point_{place}_type"] = f"{trip.rstrip('0123456789')}\n"
        files[f"{folder}/trip_point_{place}_temp"] = f"{at}\n"
    return files
