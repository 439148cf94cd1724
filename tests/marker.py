"""Pictures that carry a marker, and every form that the pipeline makes of them: what a canary looks for.

The pictures are noise that was never seen before (no seed: a form that is found somewhere was not there by
accident). The forms are made by the worker's own code, from the file's bytes to the state of the model, and
each is also looked for as text: in hexadecimal, base64, as escapes and as numbers.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

import numpy as np
from forms import Forms, any_of, mean_of, shifted
from numpy.typing import NDArray

from edged.config.shape import File, Model
from edged.errors import EndOfSource
from edged.worker import outline
from edged.worker.prepare import Preparation
from edged.worker.runtime import open_network
from edged.worker.source import Want, opened

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 128, 96
STILL: Final = (192, 144)  # more than an outline has cells
PICTURES: Final = 4
TELLING: Final = 32  # different bytes that a form must have in so many: a constant is of no picture
#: A JPEG file's scan begins here: what is before are tables, and those are everybody's.
SCAN: Final = b"\xff\xda"

#: The table of ITU-T T.81, K.1, which libjpeg halves for quality 75.
_K1: Final = np.array(
    [
        *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56),
        *(14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
        *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
    ],
    np.float64,
).reshape(8, 8)
LUMINANCE: Final = np.floor((_K1 * 50 + 50) / 100)
_N = np.arange(8)
#: The DCT's matrix: rows are frequencies.
DCT: Final = (
    np.cos((2 * _N[None, :] + 1) * _N[:, None] * np.pi / 16) * np.where(_N == 0, 0.125, 0.25)[:, None] ** 0.5
)


def noise(width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """uint8 [height, width, 3], coarse enough that halving it leaves it noise."""
    coarse = np.frombuffer(secrets.token_bytes(height * width * 3 // 16), np.uint8)
    return coarse.reshape(height // 4, width // 4, 3).repeat(4, 0).repeat(4, 1) ^ np.frombuffer(
        secrets.token_bytes(height * width * 3), np.uint8
    ).reshape(height, width, 3) // np.uint8(16)


def coefficients() -> NDArray[np.int16]:
    """Quantised DCT coefficients [HEIGHT / 8, WIDTH / 8, 8, 8] of a grey picture, at random."""
    dice = np.random.default_rng(secrets.randbits(64))
    most = 60 / LUMINANCE
    made = np.rint(dice.uniform(-most, most, (HEIGHT // 8, WIDTH // 8, 8, 8))).astype(np.int16)
    while (cut := cut_off(made)).any():  # what is cut off comes back as another coefficient
        made[cut] = np.rint(dice.uniform(-most, most, (int(cut.sum()), 8, 8)))
    return made


def cut_off(blocks: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which blocks have pixels that are no bytes."""
    return (np.abs(DCT.T @ (blocks * LUMINANCE) @ DCT) > 120).any((2, 3))


def drawn(blocks: NDArray[np.int16]) -> Pixels:
    """The picture that has these coefficients: uint8 [HEIGHT, WIDTH, 3], grey."""
    pixels = DCT.T @ (blocks * LUMINANCE) @ DCT + 128
    grey = np.clip(np.rint(pixels), 0, 255).astype(np.uint8).swapaxes(1, 2).reshape(HEIGHT, WIDTH)
    return np.repeat(grey[..., None], 3, 2)


def analysed(picture: Pixels) -> NDArray[np.int16]:
    """The coefficients of a picture, as ``coefficients`` gives them."""
    blocks = picture[..., 0].reshape(HEIGHT // 8, 8, WIDTH // 8, 8).swapaxes(1, 2)
    return np.rint(DCT @ (blocks.astype(np.float64) - 128) @ DCT.T / LUMINANCE).astype(np.int16)


class Marker(Forms):
    """Sources below ``folder`` and ``forms``: each form of their pictures by name, as bytes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for dtype, scale, zero in (("uint8", 1 / 255, 0), ("int8", 1 / 255, -128), ("float32", 0.0, 0)):
            (folder / f"{dtype}.tflite").write_bytes(mean_of([1, 48, 64, 3], dtype, scale, zero))
        self.photos, self.prints, self.film = folder / "photos", folder / "prints", folder / "film.avi"
        self.still = folder / "still"
        self._photographs()
        self._prints()
        self._films()
        self._stand_still()
        self._tell("photos", self.photos, Model(file="builtin:activity"))
        self._tell(
            "photos", self.photos, Model(file=str(folder / "float32.tflite"), mean=(127.5,), std=(127.5,))
        )
        self._tell("prints", self.prints, Model(file=str(folder / "uint8.tflite")))
        self._tell("film", self.film, Model(file=str(folder / "int8.tflite")))

    def _photographs(self) -> None:
        self.photos.mkdir()
        for number in range(PICTURES):
            self.add("photos: file", _photograph(self.photos / f"{number}.png", noise()))

    def _stand_still(self) -> None:
        """What ``edged zones`` is asked to look at, and what becomes of it before it is a sketch."""
        self.still.mkdir()
        picture = noise(*STILL)
        self.add("still: file", _photograph(self.still / "0.png", picture))
        self.add("still: picture", picture.tobytes())
        self.add("still: colours", *(picture[..., one].astype(np.float32).tobytes() for one in range(3)))
        self.add("still: shrunk", outline.shrunk(picture).tobytes())

    def _prints(self) -> None:
        import simplejpeg

        self.prints.mkdir()
        for number in range(PICTURES):
            blocks = coefficients()
            data = simplejpeg.encode_jpeg(np.ascontiguousarray(drawn(blocks)), 75, "RGB", "444", False)
            (self.prints / f"{number}.jpg").write_bytes(data)
            decoded = simplejpeg.decode_jpeg(data, "RGB")
            assert np.array_equal(analysed(decoded), blocks), "the blocks are not those that were meant"
            self.add("prints: blocks", blocks.tobytes())
            self.add("prints: file", *shifted(data[data.index(SCAN) + 14 : -2]))

    def _films(self) -> None:
        import av

        with av.open(str(self.film), "w") as made:
            stream = made.add_stream("mjpeg", rate=10)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
            for _ in range(PICTURES):
                made.mux(stream.encode(av.VideoFrame.from_ndarray(noise(), format="rgb24")))
            made.mux(stream.encode(None))
        with av.open(str(self.film)) as film:
            for packet in film.demux(video=0):
                data = bytes(packet)
                if SCAN in data:
                    self.add("film: file", *shifted(data[data.index(SCAN) + 14 : -2]))
                for frame in packet.decode():
                    self.add("film: planes", *(bytes(plane) for plane in frame.planes))
                    self.add("film: full size", frame.to_ndarray(format="rgb24").tobytes())

    def _tell(self, name: str, path: Path, model: Model) -> None:
        """What the worker makes of these pictures with this model, step by step."""
        network = open_network(model)
        picture = network.picture
        what = f"for {picture.dtype} {picture.height} x {picture.width} x {picture.channels}"
        prepare = Preparation(picture)
        source = opened(
            File(path=str(path), pace="fast"), Want(picture.width, picture.height, picture.channels, 0)
        )
        try:
            while (frame := source.read(1.0)) is not None:
                small = prepare._sized(frame.data)
                tensor = prepare(frame.data)
                self.add(f"{name}: picture", frame.data.tobytes())
                self.add(f"{name}: small, {what}", small.tobytes())
                self.add(f"{name}: grey or coloured, {what}", prepare._coloured(small).tobytes())
                self.add(f"{name}: tensor, {what}", tensor.tobytes())
                network.infer(tensor, 0.1)
                states = [network._engine.get_tensor(before).tobytes() for before, _ in network._state]
                self.add(f"{name}: state", *(one for one in states if len(set(any_of(one))) > TELLING))
        except EndOfSource:
            return


def _photograph(path: Path, picture: Pixels) -> bytes:
    """Write it as PNG; its data, without what is everybody's."""
    import av

    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width, _ = picture.shape
    codec.pix_fmt, codec.time_base = "rgb24", 1  # type: ignore[assignment]
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    data = b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None)))
    path.write_bytes(data)
    return data[data.index(b"IDAT") + 6 : -24]
