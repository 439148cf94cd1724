"""Heads beyond boxes and classes: poses by rules, areas by class, and embeddings, which are refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import drafts
import numpy as np
import pytest

from edged.config.shape import Measure, Model, Pipeline, Synthetic
from edged.errors import RefusedError
from edged.models.catalogue import catalogue
from edged.series import series_of
from edged.worker.decode import Classifier, Output, Plain
from edged.worker.decode.choice import chosen
from edged.worker.decode.pose import ASPECT, POSES, THIGH, Poser, pose
from edged.worker.decode.segmentation import MOST, Segmenter
from edged.worker.measure import meter
from edged.worker.observation import Areas, Detections
from edged.worker.prepare import Preparation
from edged.worker.runtime import Network, open_network

ANY = Model(file="m.tflite")


def output(number: int, name: str, shape: tuple[int, ...], dtype: str = "float32", **more: Any) -> Output:
    return Output(number, name, more.pop("role", ""), shape, dtype, **more)


# --- poses

#: A body of height 0.8 from the front, (y, x) in the order of COCO's keypoints: head, shoulders, elbows,
#: wrists, hips, knees, ankles, by the proportions of Drillis and Contini.
NOSE, EYES, SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES = 0.15, 0.14, 0.25, 0.40, 0.52, 0.48, 0.68, 0.87


def body(unseen: tuple[int, ...] = (), **heights: float) -> Any:
    """float32 [17, 3]; ``heights`` move pairs of points, those of ``unseen`` score low."""
    rows = [(NOSE, 0.5), (EYES, 0.51), (EYES, 0.49), (EYES, 0.53), (EYES, 0.47)]
    for name, least in (
        ("shoulders", SHOULDERS),
        ("elbows", ELBOWS),
        ("wrists", WRISTS),
        ("hips", HIPS),
        ("knees", KNEES),
        ("ankles", ANKLES),
    ):
        y = heights.get(name, least)
        rows += [(y, 0.56), (y, 0.44)]
    made = np.array([(y, x, 0.8) for y, x in rows], np.float32)
    made[list(unseen), 2] = 0.1
    return made


def lying(given: Any) -> Any:
    """Turned by a right angle, in a picture of the shape that the rules take for granted."""
    made = given.copy()
    made[:, 0], made[:, 1] = given[:, 1], given[:, 0] / ASPECT
    return made


CASES = {
    "from the front": (body(), "standing"),
    "its feet are hidden": (body(unseen=(15, 16)), "standing"),
    "its knees too": (body(unseen=(13, 14, 15, 16)), "unclear"),
    "on a chair": (body(knees=HIPS + 0.08, ankles=HIPS + 0.25), "sitting"),
    "crouching, knees up": (body(knees=HIPS - 0.02, ankles=HIPS + 0.1), "sitting"),
    "kneeling": (body(ankles=KNEES + 0.03), "sitting"),
    "both arms up": (body(wrists=0.05), "arms raised"),
    "both arms up on a chair": (body(wrists=0.05, knees=HIPS + 0.05), "arms raised"),
    "a wrist at the shoulder": (body(wrists=SHOULDERS), "standing"),
    "one arm, the other hidden": (body(unseen=(10,), wrists=0.05), "arms raised"),
    "no face, arms high": (body(unseen=(0, 1, 2, 3, 4), wrists=0.05), "arms raised"),
    "hands just above the nose": (body(wrists=0.142), "arms raised"),
    "no face, hands as high as that": (body(unseen=(0, 1, 2, 3, 4), wrists=0.142), "standing"),
    "no face, hands at the chin": (body(unseen=(0, 1, 2, 3, 4), wrists=0.2), "standing"),
    "on the floor": (lying(body()), "lying"),
    "on the floor, arms over the head": (lying(body(wrists=0.0)), "lying"),
    "on the floor, legs hidden": (lying(body(unseen=(13, 14, 15, 16))), "lying"),
    "no hips": (body(unseen=(11, 12)), "unclear"),
    "one hip is enough": (body(unseen=(11,)), "standing"),
    "upside down": (body(shoulders=0.7, hips=0.4, knees=0.2), "unclear"),
    "shoulders in the hips": (body(shoulders=HIPS, knees=HIPS, ankles=HIPS), "unclear"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_body_has_the_pose_that_the_rules_say(case: str) -> None:
    points, expected = CASES[case]
    assert POSES[pose(points)] == expected


def test_one_arm_up_is_no_alarm() -> None:
    points = body()
    points[9, 0] = 0.05
    assert POSES[pose(points)] == "standing"


def test_who_bends_over_does_not_lie() -> None:
    points = body(shoulders=HIPS)
    points[[5, 6], 1] += 0.25
    assert POSES[pose(points)] == "unclear"


def test_a_trunk_lies_from_a_diagonal_on_whatever_the_camera_is_turned_to() -> None:
    """Off the vertical by this angle in a picture of 3:2; the docs tell what it is in others."""
    for angle in (0, 30, 44, 46, 90, 134):
        turn = math.radians(angle)
        points = body(unseen=(13, 14, 15, 16))
        for shoulder in (5, 6):
            points[shoulder, :2] = 0.5 - 0.2 * math.cos(turn), 0.5 - 0.2 * math.sin(turn) / ASPECT
        for hip in (11, 12):
            points[hip, :2] = 0.5, 0.5
        assert POSES[pose(points)] == ("lying" if 45 < angle < 135 else "unclear"), angle
    for aspect, said in ((4 / 3, 42), (16 / 9, 50)):
        assert round(math.degrees(math.atan(aspect / ASPECT))) == said


def test_standing_ends_where_the_thigh_is_lifted() -> None:
    trunk = HIPS - SHOULDERS
    for drop, expected in ((THIGH + 0.02, "standing"), (THIGH - 0.02, "sitting")):
        assert POSES[pose(body(unseen=(15, 16), knees=HIPS + drop * trunk))] == expected


def test_several_people_come_best_first_with_their_own_boxes() -> None:
    rows = np.zeros((1, 6, 56), np.float32)
    for row, (height, points) in enumerate(((0.5, body()), (0.9, body(knees=HIPS + 0.05)))):
        points[:, 2] = height
        rows[0, row, :51] = points.reshape(-1)
        rows[0, row, 51:] = (0.1, 0.2, 1.2, 0.4, 0.7)
    found: Any = Poser(output(0, "x", (1, 6, 56)))(rows)
    assert [POSES[one] for one in found.classes] == ["sitting", "standing"]
    np.testing.assert_allclose(found.scores, [0.9, 0.5])
    np.testing.assert_allclose(found.boxes[0], [0.1, 0.2, 1.0, 0.4])


def test_four_points_are_nobody() -> None:
    decoder = Poser(output(0, "x", (1, 1, 17, 3)))
    four = body(unseen=tuple(range(4, 17)))
    five = body(unseen=tuple(range(5, 17)))
    assert [len(decoder(one.reshape(1, 1, 17, 3)).scores) for one in (four, five)] == [0, 1]


def test_a_box_is_around_what_is_seen_so_that_feet_stand_in_zones() -> None:
    found = Poser(output(0, "x", (1, 1, 17, 3)))(body().reshape(1, 1, 17, 3))
    np.testing.assert_allclose(found.boxes[0], [EYES, 0.44, ANKLES, 0.56], atol=1e-6)


def test_poses_are_labels_that_a_model_s_own_must_not_hide() -> None:
    with pytest.raises(RefusedError, match="the labels of a model of poses are the poses") as caught:
        chosen([output(0, "x", (1, 1, 17, 3))], Model(file="m.tflite", labels=("a",)), ("a",), ())
    assert "arms raised" in caught.value.hint


def test_people_are_counted_by_what_they_do() -> None:
    pipeline = Pipeline(
        source=Synthetic(),
        measures=(Measure(kind="occupancy", labels=("standing", "lying")), Measure(kind="presence")),
    )
    series = series_of("p", pipeline)
    values = np.zeros(len(series))
    count = meter(pipeline, series, Detections, POSES, 0.5)
    for points, expected in ((body(), [1, 0, 1]), (lying(body()), [0, 1, 1]), (body() * 0, [0, 0, 0])):
        count(Poser(output(0, "x", (1, 1, 17, 3)))(points.reshape(1, 1, 17, 3)), values, 0.0)
        assert values.tolist() == expected


#: Of the shared clip: frames with one person, who stands, well inside the stretches that its README tells.
STRETCHES = ((61, 196), (229, 445), (504, 695), (745, 865), (922, 1196), (1236, 1358))


def test_people_who_stand_at_a_table(shared: Path) -> None:
    """A real model on a real clip. One person at a time, who stands: nobody where nobody is."""
    av = pytest.importorskip("av")
    network = open_network(Model(file=str(shared / "models/movenet_single_pose_lightning_ptq.tflite")))
    assert (network.decoder, network.labels) == ("pose", POSES)
    prepare, seen = Preparation(network.picture), Counter[tuple[bool, str]]()
    with av.open(str(shared / "media/one-by-one-person-detection.mp4")) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            inside = any(begin + 10 <= number <= end - 10 for begin, end in STRETCHES)
            outside = all(not begin - 5 <= number <= end + 5 for begin, end in STRETCHES)
            if number % 20 == 0 and (inside or outside):
                found: Any = network.infer(prepare(frame.to_ndarray(format="rgb24")), 0.0)
                sure = found.classes[found.scores >= 0.5]
                seen[inside, POSES[sure[0]] if len(sure) else "nobody"] += 1
    there, not_there = (sum(n for (inside, _), n in seen.items() if inside == one) for one in (True, False))
    assert (there, not_there) == (48, 11)
    assert seen[False, "nobody"] == not_there
    assert seen[True, "nobody"] <= 0.1 * there and seen[True, "standing"] >= 0.85 * there


# --- areas


def areas(pipeline: Pipeline, labels: tuple[str, ...], found: Areas) -> list[float]:
    series = series_of("p", pipeline)
    values = np.zeros(len(series))
    meter(pipeline, series, Areas, labels, 0.5)(found, values, 0.0)
    return [float(one) for one in values]


def test_the_share_of_a_class_of_a_picture_and_of_a_zone() -> None:
    labels = ("background", "water", "grass")
    classes = np.array([[1, 1, 0, 0], [1, 1, 0, 2], [0, 0, 2, 2], [0, 0, 2, 2]])
    sure = np.ones((4, 4), np.float32)
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    measures = (
        Measure(kind="area"),
        Measure(kind="area", labels=("water", "grass", "background")),
        Measure(kind="area", labels=("water",), zones=("left",)),
    )
    pipeline = Pipeline(source=Synthetic(), zones={"left": left}, measures=measures)
    assert areas(pipeline, labels, Areas(classes, sure, 0)) == [9 / 16, 4 / 16, 5 / 16, 7 / 16, 4 / 8]
    unsure = sure.copy()
    unsure[0] = 0.4
    assert areas(pipeline, labels, Areas(classes, unsure, 0))[:2] == [7 / 16, 2 / 16]


@pytest.mark.parametrize("side", [96, 97, 257, 513])
def test_a_fine_output_is_thinned_and_tells_the_same_share(side: int) -> None:
    """A square of some size anywhere: 1 % of the picture off at most."""
    decoder = Segmenter(output(0, "x", (1, side, side), "uint8"), soft=True)
    dice = np.random.default_rng(1)
    for _ in range(50):
        top, left, high, wide = (int(one) for one in dice.integers(0, side // 2, 4))
        numbers = np.zeros((1, side, side), np.uint8)
        numbers[0, top : top + high, left : left + wide] = 1
        found = decoder(numbers)
        assert max(found.classes.shape) <= MOST
        assert abs((found.classes == 1).mean() - numbers.mean()) < 0.011


def test_segmentation_is_taken_for_what_it_is_when_its_classes_have_names() -> None:
    scores = [output(0, "x", (1, 65, 65, 3))]
    assert type(chosen(scores, ANY, ("background", "a", "b"), ())) is Segmenter
    assert type(chosen(scores, ANY, (), ())) is Plain, "nothing says what it is"
    assert type(chosen([output(0, "x", (1, 65, 65), "int64", maker="ARG_MAX")], ANY, (), ())) is Segmenter


def test_a_real_file_of_pixels_becomes_areas(tmp_path: Path) -> None:
    draft = drafts.Draft()
    given, scores = draft.tensor("picture", [1, 4, 4, 3]), draft.tensor("scores", [1, 4, 4, 3])
    draft.operator("SOFTMAX", [given], [scores], "SoftmaxOptions", beta=1.0)
    network = opened(tmp_path, draft.packed([given], [scores]), labels=("background", "water", "grass"))
    assert (network.decoder, network.gives) == ("segmentation", Areas)
    picture = np.zeros((1, 4, 4, 3), np.float32)
    picture[..., 1] = 3.0
    picture[0, 0, 0, 2] = 9.0
    found: Any = network.infer(picture, 0.0)
    assert found.classes.tolist() == [[2, 1, 1, 1], *[[1] * 4] * 3] and found.background == 0
    np.testing.assert_allclose(found.scores[1, 1], math.exp(3) / (math.exp(3) + 2), atol=1e-5)


# --- embeddings


def opened(folder: Path, model: bytes, **keys: Any) -> Network:
    (folder / "model.tflite").write_bytes(model)
    return open_network(Model(file=str(folder / "model.tflite"), mean=(0.0,), std=(1.0,), **keys))


def normalised(name: str = "row", whole: bool = True, size: int = 128) -> bytes:
    """A picture scaled to a vector of length 1: by one operator, or by those that converters make of it."""
    draft = drafts.Draft()
    given, row = draft.tensor("picture", [1, size // 8, 8, 1]), draft.tensor("numbers", [1, size])
    made = draft.tensor(name, [1, size])
    draft.reshape(given, row, [1, size])
    if whole:
        draft.operator("L2_NORMALIZATION", [row], [made], "L2NormOptions")
        return draft.packed([given], [made])
    squares, total, root = (draft.tensor(one, [1, n]) for one, n in (("a", size), ("b", 1), ("c", 1)))
    axis = draft.tensor("axis", [1], "int32", data=[1])
    draft.operator("MUL", [row, row], [squares], "MulOptions")
    draft.operator("SUM", [squares, axis], [total], "ReducerOptions", keepDims=True)
    draft.operator("RSQRT", [total], [root])
    draft.operator("MUL", [row, root], [made], "MulOptions")
    return draft.packed([given], [made])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("keys", [{}, {"decoder": "values"}, {"decoder": "classifier"}])
def test_a_vector_of_length_1_is_refused_whatever_it_is_called(
    tmp_path: Path, whole: bool, keys: dict[str, str]
) -> None:
    with pytest.raises(RefusedError, match="looks like an embedding: its numbers are scaled") as caught:
        opened(tmp_path, normalised(whole=whole), **keys)
    assert "recognises nobody" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("embeddings", ""),
        ("x", "feature_vector"),
        ("face_embedding:0", ""),
        ("x", "Speaker ID"),
        ("facenet/out", ""),
    ],
)
def test_what_is_called_an_embedding_is_refused(name: str, role: str) -> None:
    for decoder in ("auto", "values"):
        with pytest.raises(RefusedError, match="looks like an embedding: it is called"):
            asked = Model(file="m.tflite", decoder=decoder)
            chosen([output(0, name, (1, 16), role=role)], asked, ("x",) * 16, ())


@pytest.mark.parametrize("size", [64, 128, 512, 1280, 2048])
def test_a_vector_that_nothing_names_is_refused_until_its_owner_does(size: int) -> None:
    row = [output(0, "x", (1, 1, 1, size))]
    with pytest.raises(RefusedError, match=f"a row of {size} numbers that nothing names") as caught:
        chosen(row, ANY, (), ())
    assert 'decoder = "values"' in caught.value.hint and "labels" in caught.value.hint
    assert type(chosen(row, Model(file="m.tflite", decoder="values"), (), ())) is Plain
    assert type(chosen(row, ANY, ("x",) * size, ())) is Classifier


@pytest.mark.parametrize(
    "one",
    [
        output(0, "x", (1, 63)),
        output(0, "x", (1, 2049)),
        output(0, "x", (1, 1001), maker="SOFTMAX"),
        output(0, "x", (1, 521), maker="LOGISTIC"),
        output(0, "x", (1, 16, 16)),
        output(0, "face_boxes", (1, 10, 4)),
        output(0, "face_count", (1, 1)),
    ],
)
def test_what_is_none_is_not_taken_for_one(one: Output) -> None:
    chosen([one], ANY, (), ())


def test_the_other_outputs_of_a_model_may_be_used() -> None:
    outputs = [output(0, "scores", (1, 521), maker="LOGISTIC"), output(1, "embeddings", (1, 1024))]
    with pytest.raises(RefusedError, match="embeddings looks like an embedding") as caught:
        chosen(outputs, ANY, (), ())
    assert "name the other outputs in `outputs`" in caught.value.hint
    assert type(chosen(outputs, Model(file="m.tflite", outputs=("scores",)), (), ())) is Classifier


def test_no_shared_model_is_taken_for_one(shared: Path) -> None:
    """Real models: each is what the catalogue says."""
    for one in catalogue().values():
        if one.file in {path.name for path in (shared / "models").iterdir()} and "edgetpu" not in one.file:
            assert open_network(Model(file=str(shared / "models" / one.file))).decoder == one.task


# --- the whole chain: daemon, locked worker, wall, store, report

CONFIG = """
[daemon]
state_dir = "state"
runtime_dir = "run"

[clock]
trust = "always"

[models.head]
file = "{model}"
{keys}

[pipelines.hall]
model = "head"
rate = {rate}
source = {source}
measures = [{measures}]
"""


def counted(folder: Path, **parts: object) -> dict[str, float]:
    """What a daemon counts of a recording, by label: the mean of all of it."""
    (folder / "edged.toml").write_text(CONFIG.format(**parts))

    def edged(*words: str) -> str:
        asked = [sys.executable, "-m", "edged", *words]
        done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    edged("keys", "init")
    edged("run", "edged.toml")
    found = {}
    for one in json.loads(edged("report", "--all", "--every", "1d", "--json"))["series"]:
        rows = [row for row in one["rows"] if row["mean"] is not None]
        found[one["label"]] = sum(row["mean"] for row in rows) / len(rows)
    return found


def test_poses_of_a_real_clip_reach_the_report(shared: Path, tmp_path: Path) -> None:
    clip = shared / "media/one-by-one-person-detection.mp4"
    found = counted(
        tmp_path,
        model=shared / "models/movenet_single_pose_lightning_ptq.tflite",
        keys="",
        rate=1.0,
        source=f'{{ kind = "file", path = "{clip}", pace = "fast", start = "2026-01-01T12:00:00Z" }}',
        measures='{ kind = "occupancy" }, { kind = "occupancy", labels = ["standing", "lying"] }',
    )
    there = sum(end - begin for begin, end in STRETCHES) / 1394
    # Who comes in or leaves is cut by the picture's edge for a second, and no body yet.
    assert there - 0.2 < found[""] < there
    assert 0.8 * found[""] < found["standing"] <= found[""]
    assert found["lying"] < 0.02


def test_areas_of_a_scene_reach_the_report(tmp_path: Path) -> None:
    """Each pixel is of the class of its strongest colour: the shares of all three are all there is."""
    draft = drafts.Draft()
    given, scores = draft.tensor("picture", [1, 48, 64, 3]), draft.tensor("scores", [1, 48, 64, 3])
    draft.operator("SOFTMAX", [given], [scores], "SoftmaxOptions", beta=1.0)
    (tmp_path / "head.tflite").write_bytes(draft.packed([given], [scores]))
    found = counted(
        tmp_path,
        model="head.tflite",
        keys='labels = ["red", "green", "blue"]\nmean = [0.0]\nstd = [1.0]\nmin_score = 0.0',
        rate=5.0,
        source='{ kind = "synthetic", width = 64, height = 48, noise = 0, duration = "20s", pace = "fast",'
        ' start = "2026-01-01T12:00:00Z" }',
        measures='{ kind = "area" }, { kind = "area", labels = ["red", "green", "blue"] }',
    )
    assert sum(found[one] for one in ("red", "green", "blue")) == pytest.approx(1.0, abs=0.01)
    assert found[""] == pytest.approx(1.0, abs=0.01), "no class is the background"
    assert max(found.values()) <= 1.0 and sum(one > 0.02 for one in found.values()) >= 3
