"""The bundled model `activity` on a real video, beside OpenCV's background subtractors, frame by frame.

`python -m benchmarks.activity` prints the figures. All three see the same pictures: grey, 96 x 96,
area-averaged, in the order of the video, with default settings; none has seen it before. A frame counts
as present

- for `activity`, when a cell of its output reaches 0.5: there is nothing to choose;
- for MOG2 and KNN, when the share of foreground pixels exceeds a threshold. They leave that choice to the
  user, so the benchmark makes the best one for them with the truth in hand: of all thresholds, and with
  what they call shadow counted as foreground or not, the highest recall at no more than 0.06 false alarms.

Recall is the share of frames with a person in view in which something is present; false the share of the
other frames. The truth is by eye and good to a few frames, so that nobody's figures can be perfect.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.system import SHARED, require

CLIP = SHARED / "media/one-by-one-person-detection.mp4"
MODEL = Path(__file__).parents[1] / "edged/models/activity.tflite"
SIDE = 96
STEP = 0.1  # seconds between the video's frames
VISITS = ((61, 196), (229, 445), (504, 695), (745, 865), (922, 1196), (1236, 1358))  # the clip's README
MOST_FALSE = 0.06

Pictures = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


def measure() -> dict[str, float]:
    """``activity.recall`` and ``.false`` (shares of frames); ``activity.ms`` of one frame on one thread, the
    copy of its state included; ``activity.mog2_*`` and ``activity.knn_*`` for comparison.
    """
    import cv2

    require(CLIP)
    pictures = decoded()
    there = truth(len(pictures))
    present, spent = ours(pictures)
    figures = dict(zip(("recall", "false"), scores(present, there), strict=True)) | {"ms": spent * 1e3}
    for name, create in (
        ("mog2", cv2.createBackgroundSubtractorMOG2),
        ("knn", cv2.createBackgroundSubtractorKNN),
    ):
        recall, false = best(pictures, there, create)
        figures |= {f"{name}_recall": recall, f"{name}_false": false}
    return {f"activity.{name}": float(value) for name, value in figures.items()}


def decoded() -> Pictures:
    """[frames, 96, 96]."""
    import av

    with av.open(str(CLIP)) as container:
        frames = [
            frame.reformat(SIDE, SIDE, "gray", interpolation="AREA").to_ndarray()
            for frame in container.decode(video=0)
        ]
    return np.stack(frames).astype(np.uint8)


def truth(frames: int) -> Flags:
    """Whether a person is in view."""
    there = np.zeros(frames, bool)
    for first, last in VISITS:
        there[first : last + 1] = True
    return there


def scores(present: Flags, there: Flags) -> tuple[float, float]:
    """Recall and false alarms."""
    return float(present[there].mean()), float(present[~there].mean())


def ours(pictures: Pictures) -> tuple[Flags, float]:
    """Presence per frame, and the median seconds of a frame."""
    from ai_edge_litert.interpreter import Interpreter

    model: Any = Interpreter(model_path=str(MODEL), num_threads=1)
    model.allocate_tensors()
    inputs = {one["name"]: one for one in model.get_input_details()}
    outputs = {one["name"]: one["index"] for one in model.get_output_details()}
    pairs = [
        (one["index"], outputs[name.replace("state/", "next/")])
        for name, one in inputs.items()
        if "/" in name
    ]
    for one in inputs.values():
        model.set_tensor(one["index"], np.zeros(one["shape"], one["dtype"]))
    present, spent = [], []
    for number, picture in enumerate(pictures):
        began = time.perf_counter()
        model.set_tensor(inputs["picture"]["index"], picture.reshape(1, SIDE, SIDE, 1))
        model.set_tensor(inputs["elapsed"]["index"], np.array([STEP if number else 0.0], np.float32))
        model.invoke()
        for old, new in pairs:
            model.set_tensor(old, model.get_tensor(new))
        present.append(model.get_tensor(outputs["presence"]).max() >= 0.5)
        spent.append(time.perf_counter() - began)
    return np.array(present), median(spent)


def best(pictures: Pictures, there: Flags, create: Callable[[], Any]) -> tuple[float, float]:
    """The best recall of a subtractor at MOST_FALSE, over thresholds and both readings of its shadows."""
    subtractor = create()
    masks = [subtractor.apply(picture) for picture in pictures]
    found = (0.0, 0.0)
    for least in (1, 255):
        share = np.array([(mask >= least).mean() for mask in masks])
        for threshold in np.unique(share):
            recall, false = scores(share > threshold, there)
            if false <= MOST_FALSE and recall > found[0]:
                found = recall, false
    return found


if __name__ == "__main__":
    for key, value in measure().items():
        print(f"{key:24} {value:.3f}")
