"""Film and pictures: the file plays, shows what was drawn, and appears only when whole."""

import imageio_ffmpeg
import numpy as np
import pytest

from pipelines.birdseye import SCALE_PX_PER_M, BirdsEye
from pipelines.overlay import Instruments, Seen, draw_attention, draw_detections, draw_strip
from pipelines.video import fit, video_writer
from sim.roadgen.generate import generate_road


def test_film_has_every_frame_and_its_colours(tmp_path):
    path = tmp_path / "film.mp4"
    with video_writer(path, 64, 48, 10.0) as add:
        for level in (40, 120, 200):
            add(np.full((48, 64, 3), (level, 90, 60), np.uint8))
    frames = imageio_ffmpeg.read_frames(str(path))
    about = next(frames)
    shown = [np.frombuffer(frame, np.uint8).reshape(48, 64, 3).mean(axis=(0, 1)) for frame in frames]
    assert (about["size"], about["codec"], about["fps"]) == ((64, 48), "h264", 10.0)
    assert about["pix_fmt"].startswith("yuv420p")
    assert len(shown) == 3
    assert np.allclose(shown, [(40, 90, 60), (120, 90, 60), (200, 90, 60)], atol=8)


def test_broken_off_film_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), video_writer(tmp_path / "film.mp4", 64, 48, 10.0) as add:
        add(np.zeros((48, 64, 3), np.uint8))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_wrong_sizes_are_refused(tmp_path):
    with pytest.raises(ValueError, match="even"), video_writer(tmp_path / "film.mp4", 63, 48, 10.0):
        pass
    with pytest.raises(ValueError, match="frame of"), video_writer(tmp_path / "film.mp4", 64, 48, 10.0) as add:
        add(np.zeros((10, 10, 3), np.uint8))


def test_fit_keeps_the_aspect_and_even_sides():
    assert fit(np.zeros((192, 320, 3), np.uint8), 576).shape == (576, 960, 3)
    assert fit(np.zeros((97, 161, 3), np.uint8), 60).shape[1] % 2 == 0


def test_detection_frames_its_object():
    image = np.zeros((100, 160, 3), np.uint8)
    seen = Seen(np.array([[40.0, 30.0, 90.0, 80.0]]), np.array([3]), np.array([0.9]), np.array([12.0]))
    draw_detections(image, seen)
    assert image[30, 60:80].any() and image[50:70, 40].any()
    assert not image[45:75, 50:85].any(), "the object itself stays visible"


def test_attention_is_bright_where_it_is_high():
    image, attention = np.full((192, 320, 3), 60, np.uint8), np.zeros((24, 40), np.float32)
    attention[4:8, 30:36] = 1.0
    draw_attention(image, attention, backdrop=image.copy(), width_px=160)
    inset = image[192 - 12 - 96 : 192 - 12, 12:172].astype(int).sum(axis=-1)
    assert inset[16:32, 120:144].mean() > 2 * inset[60:90, 10:60].mean()


def test_strip_bars_grow_with_their_values():
    def bright(**change):
        values = {"speed_mps": 10.0, "limit_mps": 14.0, "accel_mps2": 0.0, "steer_rad": 0.0, "time_s": 1.0, "done": 0.0}
        words = {"weather": "fog", "agent": "ppo", "perception": "detector", "place": "town", "note": ""}
        return draw_strip(1440, Instruments(**(values | change), **words))[52:61].astype(int)

    still = bright()
    assert np.abs(bright(done=0.9) - still).sum() > np.abs(bright(done=0.3) - still).sum() > 0
    assert np.abs(bright(steer_rad=0.4) - still)[:, 420:495].sum() > 0, "left steers to the left"
    assert np.abs(bright(steer_rad=-0.4) - still)[:, 497:570].sum() > 0


def test_birdseye_puts_ahead_up_and_left_left():
    view = BirdsEye(generate_road("rural", 0), 200, 300)
    empty = {key: np.zeros((0, 3)) for key in ("center", "size", "velocity")} | {
        "yaw": np.zeros(0),
        "kind": np.zeros(0),
    }
    box = {
        "center": np.array([[10.0, 5.0, 0.8]]),
        "size": np.array([[2.0, 2.0, 1.6]]),
        "yaw": np.zeros(1),
        "velocity": np.zeros((1, 2)),
        "kind": np.zeros(1, int),
    }
    far = np.array([1e6, 1e6])  # no road there: only the boxes show

    def draw(actual):
        return view.draw(far, 0.0, np.array([4.6, 1.8, 1.5]), 2.8, np.zeros((0, 2)), actual, empty).astype(int)

    changed = np.argwhere(np.abs(draw(box) - draw(empty)).sum(axis=-1) > 60)
    row, column = changed.mean(axis=0)
    assert row == pytest.approx(300 * 0.78 - 10 * SCALE_PX_PER_M, abs=1.5)
    assert column == pytest.approx(100 - 5 * SCALE_PX_PER_M, abs=1.5)
