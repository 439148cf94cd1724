"""JPEG, decoded by libjpeg-turbo. The only importer of ``simplejpeg``.

Slow but exact for pictures at rest; for a camera's MJPEG at the smallest scale that is not below the model's
size, which libjpeg-turbo reaches by leaving out the DCT's high frequencies: less work, and an averaged
picture.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray

from edged.worker.source import Want

END: Final = b"\xff\xd9"
#: EXIF orientation -> (counter-clockwise right angles, mirrored left to right afterwards). EXIF 2.32, tag
#: 0x0112.
TURNS: Final = {
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (3, False),
    7: (1, True),
    8: (1, False),
}


def photograph(data: bytes, channels: int) -> NDArray[np.uint8]:
    """A picture in full size, turned as its EXIF says: uint8 [H, W, channels]. Raises ``ValueError`` when it
    is damaged.
    """
    form = "RGB" if channels == 3 else "GRAY"
    picture: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, form)
    turns, mirrored = TURNS.get(orientation(data), (0, False))
    if turns or mirrored:
        picture = np.rot90(picture, turns)
        picture = np.ascontiguousarray(picture[:, ::-1] if mirrored else picture)
    return picture


def frame(data: bytes | memoryview, want: Want) -> NDArray[np.uint8] | None:
    """One frame of a camera's MJPEG: uint8 [H, W, C], not smaller than wanted where the frame is not. None
    when it is damaged.

    Drivers pad frames with zeros and hand over cut off ones: all up to the last end mark counts, and without
    one there is no picture.
    """
    data = bytes(data)
    end = data.rfind(END)
    if end < 0:
        return None
    form = "RGB" if want.channels == 3 else "GRAY"
    try:
        picture: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data[: end + 2],
            form,
            fastdct=True,
            fastupsample=True,
            min_height=want.height,
            min_width=want.width,
        )
    except ValueError:
        return None
    return picture


def orientation(data: bytes) -> int:
    """The EXIF orientation of a JPEG picture, 1 (as it is) when it has none. EXIF 2.32, 4.6.4 and 4.7.2."""
    at = data.find(b"Exif\0\0", 0, 1 << 16) + 6
    if at < 6:
        return 1
    order = "<" if data[at : at + 2] == b"II" else ">"
    try:
        (table,) = struct.unpack_from(f"{order}I", data, at + 4)
        (entries,) = struct.unpack_from(f"{order}H", data, at + table)
        for entry in range(min(entries, 512)):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", data, at + table + 2 + 12 * entry)
            if tag == 0x0112:
                return int(value)
    except struct.error:
        pass  # cut off or nonsense: as good as none
    return 1
