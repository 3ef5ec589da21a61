"""Pairs of frames of one seed in other light, weather, paint and sensors: every label the same, bit for bit.

And in each of them the boxes are those of the instance image, whatever the road, the lens and the samples.
"""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema import Experiment, RoadKind, WeatherName
from pipelines.datasets.frames import draw_frames

ALL = ["normals", "flow", "keypoints", "lanes", "panoptic", "signs"]
PICTURE = ("rgb", "image", "labels", "annotations", "scans")  # compared on their own, or not at all
LENSES = [
    {"lens": {"model": "pinhole"}, "fov_deg": 90.0},
    {"lens": {"model": "brown_conrady", "k": [-0.28, 0.09, 0.0008, -0.0005, -0.02]}, "fov_deg": 90.0},
    {"lens": {"model": "fisheye", "k": [0.02, -0.006, 0.001, -0.0002]}, "fov_deg": 150.0},
]
NUMBERS = st.fixed_dictionaries(
    {"like": st.sampled_from(get_args(WeatherName))},
    optional={
        "time_h": st.floats(0.0, 24.0),
        "cloud": st.floats(0.0, 1.0),
        "rain_mmph": st.floats(0.0, 20.0),
        "wet": st.floats(0.0, 1.0),
        "snow": st.floats(0.0, 1.0),
        "visibility_m": st.floats(30.0, 5000.0),
        "exposure_ev": st.floats(-2.0, 2.0),
    },
)
SENSORS = ["dashcam", "phone", "industrial", {"like": "dashcam", "jpeg_quality": 20, "rolling_shutter_s": 0.03}]
LOOKS = st.fixed_dictionaries(
    {"weather": NUMBERS, "appearance": st.sampled_from(["procedural", "gan"]), "sensor": st.sampled_from(SENSORS)}
)


def drawn(road: str, seed: int, lens: int, size: tuple[int, int], samples: int, looks: dict[str, Any]) -> list[Any]:
    """Both frames of a scene, with arrays of their own."""
    camera = {"width_px": size[0], "height_px": size[1], "supersample": samples} | LENSES[lens]
    tree = {
        "road": {"kind": road, "pool": 2},
        "sim": {"actors": 40, "pedestrians": 16, "cyclists": 4, "motorcycles": 2, "parked": 4},
        "camera": camera,
        "render": {"settle_s": 2.0, "frames": 2, "interval_s": 0.1, "labels": ALL},
    }
    found = []
    for frame in draw_frames(Experiment.model_validate(tree | looks), [0], [seed], {}):
        arrays = {k: v.copy() for k, v in vars(frame).items() if isinstance(v, np.ndarray)}
        labels = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in vars(frame.labels).items()}
        found.append((vars(frame) | arrays, labels))
    return found


def alike(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and first.tobytes() == second.tobytes()
    return first == second


def check_boxes(frame: dict[str, Any]) -> None:
    """Visible boxes are those recomputed from the instance image, and everything in it has one."""
    instance = frame["instance"]
    named = {entry["actor"]: entry for entry in frame["annotations"]}
    assert set(np.unique(instance[instance > 0]) - 1) == set(named)
    for actor, entry in named.items():
        rows, columns = np.nonzero(instance == actor + 1)
        left, top = int(columns.min()), int(rows.min())
        want = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        assert entry["bbox"] == want
        x, y, wide, high = entry["amodal_bbox"]
        assert x <= left + 0.51 and y <= top + 0.51 and x + wide >= left + want[2] - 0.51
        assert y + high >= top + want[3] - 0.51 and 0.0 <= entry["occlusion"] <= 1.0


def check_pair(road: str, seed: int, lens: int, size: tuple[int, int], samples: int, looks: dict[str, Any]) -> None:
    plain = drawn(road, seed, lens, size, 1, {"weather": "clear"})
    other = drawn(road, seed, lens, size, samples, looks)
    assert plain[1][1]["flow_valid"].any()
    for (frame, labels), (changed, same) in zip(plain, other, strict=True):
        for name, value in frame.items():
            assert name in PICTURE or alike(value, changed[name]), name
        assert labels.keys() == same.keys()
        for name, value in labels.items():
            assert alike(value, same[name]), name
        assert frame["annotations"] == changed["annotations"]
        told = [key for key in frame["image"] if key != "weather"]
        assert all(frame["image"][key] == changed["image"][key] for key in told)
        assert (frame["rgb"] != changed["rgb"]).any()
        check_boxes(frame)


def test_a_night_of_rain_through_a_dirty_lens_has_the_labels_of_a_clear_day():
    weather = {"like": "night_rain", "time_h": 23.5, "rain_mmph": 15.0, "exposure_ev": 1.0}
    check_pair("town", 3, 0, (192, 108), 2, {"weather": weather, "sensor": "dashcam", "appearance": "gan"})


@pytest.mark.slow
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(get_args(RoadKind)), st.integers(0, 900_000), st.integers(0, 2),
    st.tuples(st.integers(64, 220), st.integers(48, 140)), st.integers(1, 3), LOOKS,
)  # fmt: skip
def test_labels_do_not_depend_on_looks_and_boxes_are_those_of_masks_always(road, seed, lens, size, samples, looks):
    check_pair(road, seed, lens, size, samples, looks)
