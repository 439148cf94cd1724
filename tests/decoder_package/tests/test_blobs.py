"""edged's contract for decoders, and two heat maps whose peaks are known."""

import numpy as np

from edged.worker.decode import Output
from edged.worker.decode.contract import DecoderContract
from edged.worker.observation import Detections


class TestBlobs(DecoderContract):
    name = "blobs"
    outputs = (Output(0, "heat", "", (1, 2, 4, 1), "float32"),)
    unfit = (
        (),
        (Output(0, "heat", "", (1, 8), "float32"),),
        (Output(0, "heat", "", (1, 2, 4, 3), "float32"),),
    )

    def examples(self):
        boxes = np.array([[0, 0.75, 0.5, 1], [0.5, 0, 1, 0.25]], np.float32)
        meant = Detections(boxes, np.array([0, 0]), np.array([0.9, 0.6], np.float32))
        yield (np.array([0.1, 0, 0, 0.9, 0.6, 0, 0, 0.2], np.float32).reshape(1, 2, 4, 1),), meant
        none = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))
        yield (np.full((1, 2, 4, 1), 0.5, np.float32),), none


class TestBlobsInBytes(DecoderContract):
    name = "blobs"
    outputs = (Output(0, "heat", "", (1, 5, 5, 1), "uint8", scale=1 / 255),)
