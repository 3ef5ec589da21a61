import numpy as np
import pytest
import warp as wp

from sim.meshes import library
from sim.meshes.car_shapes import CLASSES, VARIANTS
from sim.meshes.library import LEVELS, SPECK, Model, build_mesh, makers, mesh_library
from sim.meshes.people import BODIES, KEYPOINTS, PEOPLE, POSES, WALK_PHASES, Age, Sex, joints, person
from sim.meshes.sculpt import blob, corner_normals
from sim.meshes.street import Street
from sim.meshes.vehicles import car_number
from sim.render_kernels.bodies import model_of


@wp.kernel
def choose_models(
    # In
    kind: wp.array(dtype=wp.int32),
    size_m: wp.array(dtype=wp.vec3),
    appearance: wp.array(dtype=wp.int32),
    walk_s_m: wp.array(dtype=wp.float32),
    speed_mps: wp.array(dtype=wp.float32),
    # Out
    model_out: wp.array(dtype=wp.int32),
):
    i = wp.tid()
    model_out[i] = model_of(kind[i], size_m[i], appearance[i], walk_s_m[i], speed_mps[i])


LIBRARY = mesh_library()
MODELS = sorted(makers())
EVERY = [(model, level) for model in MODELS for level in range(SPECK)]


def is_person(model: int) -> bool:
    return Model.PERSON <= model < Model.PERSON + BODIES * POSES


def triangles(model: int, level: int) -> slice:
    first = LIBRARY.first[model, level]
    return slice(first, first + LIBRARY.count[model, level])


def test_models_fill_the_unit_box_and_enclose_a_volume():
    for model, level in EVERY:
        corner = LIBRARY.corner[triangles(model, level)].astype(float)
        low, high = corner.reshape(-1, 3).min(0), corner.reshape(-1, 3).max(0)
        if not is_person(model):  # the poses of a body share one scale
            np.testing.assert_allclose(low, [-0.5, -0.5, 0.0], atol=1e-6, err_msg=f"{model} {level}")
            np.testing.assert_allclose(high, [0.5, 0.5, 1.0], atol=1e-6, err_msg=f"{model} {level}")
        assert (low >= [-0.5001, -0.5001, -1e-6]).all() and (high <= [0.5001, 0.5001, 1.0001]).all()
        volume = np.einsum("ti,ti->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) / 6.0
        least = 1e-5 if model in (Street.TUFT, Street.WIRES) else 0.005
        assert least < volume <= 1.2, (model, level)  # open panels lie on closed boxes


def test_people_in_all_poses_together_fill_the_unit_box():
    for body in range(BODIES):
        first = Model.PERSON + POSES * body
        for level in range(SPECK):
            points = np.concatenate(
                [LIBRARY.corner[triangles(m, level)].reshape(-1, 3) for m in range(first, first + POSES)]
            )
            np.testing.assert_allclose(points.min(0), [-0.5, -0.5, 0.0], atol=1e-6)
            np.testing.assert_allclose(points.max(0), [0.5, 0.5, 1.0], atol=1e-6)


def test_specks_stand_where_the_models_do_and_cover_as_much_of_the_picture():
    """Seen along x and along y, the area of both open boxes is that of the far model's silhouette."""
    for model in MODELS:
        far, speck = build_mesh(model, SPECK - 1).corners_m, build_mesh(model, SPECK).corners_m
        low, high = far.reshape(-1, 3).min(axis=0), far.reshape(-1, 3).max(axis=0)
        assert (speck >= low - 1e-9).all() and (speck <= high + 1e-9).all(), model
        assert speck[..., 2].min() == low[2] and speck[..., 2].max() == high[2], model
        for axis in (0, 1):
            boxes, size = np.ptp(speck.reshape(2, 24, 3), axis=1), (high - low)[[axis, 2]]
            drawn = silhouette_area(far[..., [axis, 2]], low[[axis, 2]], size)
            boxed = (boxes[:, axis] * boxes[:, 2]).sum()
            assert boxed == pytest.approx(drawn, rel=0.18, abs=0.06 * size.prod()), (model, axis)


def silhouette_area(corner: np.ndarray, low: np.ndarray, size: np.ndarray) -> float:
    """Area of the union of triangles (T, 3, 2), by counting the points of a grid that lie in one."""
    side = (np.arange(64) + 0.5) / 64
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2) * size + low
    inside = np.zeros(len(grid), bool)
    for a, b, c in corner:
        turns = [(q - p)[0] * (grid - p)[:, 1] - (q - p)[1] * (grid - p)[:, 0] for p, q in ((a, b), (b, c), (c, a))]
        inside |= (np.array(turns) >= 0.0).all(axis=0) | (np.array(turns) <= 0.0).all(axis=0)
    return float(inside.mean() * size.prod())


def test_triangle_counts_fit_the_name_bits_and_far_models_are_cheaper():
    assert LIBRARY.count.max() < 1024
    assert (np.diff(LIBRARY.count[:, :SPECK], axis=1) <= 0).all()
    assert (LIBRARY.count[MODELS, SPECK] == 16).all()
    assert LIBRARY.count[Model.SALOON, 0] > 150 > 12


def test_planes_and_fields_of_normals_agree_with_the_corners():
    rng = np.random.default_rng(0)
    some = rng.integers(0, len(LIBRARY.material), 2000)
    shares = rng.dirichlet([1.0, 1.0, 1.0], len(some))
    corner, normal = LIBRARY.corner[some].astype(float), LIBRARY.normal[some].astype(float)
    point = np.einsum("tc,tci->ti", shares, corner)
    np.testing.assert_allclose(np.einsum("ti,ti->t", LIBRARY.plane[some, :3], point), LIBRARY.plane[some, 3], atol=1e-5)
    field = LIBRARY.base[some] + np.einsum("tij,tj->ti", LIBRARY.bend[some], point)
    bent = np.abs(LIBRARY.bend[some]).max(axis=(1, 2)) > 0
    np.testing.assert_allclose(field[bent], np.einsum("tc,tci->ti", shares, normal)[bent], atol=2e-3)


def test_normals_of_a_sphere_are_its_radii():
    ball = blob((1.0, 2.0, 3.0), (0.7, 0.7, 0.7), 2, 0.0, None)
    normals = corner_normals(ball)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1.0, atol=1e-9)
    assert np.einsum("tci,tci->tc", normals, (ball - np.array([1.0, 2.0, 3.0])) / 0.7).min() > 0.99


def test_a_flat_face_keeps_its_own_normal():
    square = np.array(
        [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, -1], [1, 0, 0]]]
    )
    normals = corner_normals(square.astype(float))
    np.testing.assert_allclose(normals[:2], np.broadcast_to([0.0, 0.0, 1.0], (2, 3, 3)), atol=1e-12)


def test_joints_lie_in_the_box_and_mirror_each_other_half_a_stride_later():
    sides = [(k, KEYPOINTS.index(name.replace("left", "right"))) for k, name in enumerate(KEYPOINTS) if "left" in name]
    mirror = np.arange(len(KEYPOINTS))
    for left, right in sides:
        mirror[left], mirror[right] = right, left
    for body in range(BODIES):
        first = Model.PERSON + POSES * body
        points = LIBRARY.keypoint[first : first + POSES].astype(float)
        assert (
            (np.abs(points[..., :2]) <= 0.5).all() and (points[..., 2] >= 0.0).all() and (points[..., 2] <= 1.0).all()
        )
        for phase in range(WALK_PHASES):
            later = points[(phase + WALK_PHASES // 2) % WALK_PHASES]
            # A bag shifts the middle of the box sideways, nothing else tells left from right.
            shift = points[:, 0, 1].mean()
            np.testing.assert_allclose(later[mirror] * (1, -1, 1), points[phase] - (0, 2 * shift, 0), atol=1e-5)
        ankles = points[:WALK_PHASES, KEYPOINTS.index("left_ankle"), 0]
        assert np.ptp(ankles) > 0.3  # of the box's length: they do walk
        standing = points[WALK_PHASES]
        step = standing[KEYPOINTS.index("left_ankle"), 0] - standing[KEYPOINTS.index("right_ankle"), 0]
        assert 0.0 < step < np.ptp(ankles)  # one foot ahead, by less than a step


def widths(points: np.ndarray, low: float, high: float) -> float:
    """How wide a body is at its widest between two shares of its height."""
    between = (points[:, 2] > low) & (points[:, 2] < high)
    return float(np.ptp(points[between, 1]))


def test_people_are_built_like_people():
    """Shares of the height after Drillis and Contini, for every body at the levels that show them."""
    for body, who in enumerate(PEOPLE):
        at = {name: point / who.height for name, point in joints(body, WALK_PHASES).items()}
        head = 1.0 - 2.0 * (1.0 - at["head"][2])
        child = who.age == Age.CHILD
        assert (0.80 if child else 0.85) < head < 0.885  # the chin: a head is 1/7.5 of an adult, more of a child
        assert 0.24 < at["left_knee"][2] < 0.31 and 0.45 < at["left_hip"][2] < 0.54
        arm = at["left_elbow"] - at["left_shoulder"], at["left_wrist"] - at["left_elbow"]
        hangs = at["left_shoulder"][2] - sum(float(np.linalg.norm(part)) for part in arm)
        assert at["left_hip"][2] - 0.06 < hangs < at["left_hip"][2] + 0.06  # hands would end at mid-thigh
        for level in (0, 1):
            points = person(body, WALK_PHASES, level).corners_m.reshape(-1, 3) / who.height
            skull, shoulders = widths(points, 0.90, 1.01), widths(points, 0.76, 0.83)
            assert 1.5 * skull < shoulders < 3.0 * skull, (body, level)
            for pose in range(POSES):
                mesh = person(body, pose, level)
                assert abs(mesh.corners_m[..., 2].min()) < 0.012 * who.height  # the lower foot is on the ground
        assert len(person(body, 0, 1).material) >= 150


def test_legs_of_who_walks_are_apart_from_the_side_and_of_who_stands_from_ahead():
    for body, who in enumerate(PEOPLE):
        for level in range(SPECK):
            for pose, axis in ((2, 0), (WALK_PHASES, 1)):
                points = person(body, pose, level).corners_m.reshape(-1, 3)
                shins = np.sort(points[(points[:, 2] < 0.2 * who.height), axis])
                assert np.diff(shins).max() > 0.015 * who.height, (body, level, pose)


def test_people_of_both_sexes_and_all_ages_are_there():
    drawn = LIBRARY.person[Model.PERSON : Model.PERSON + BODIES * POSES]
    for sex in Sex:
        for age in Age:
            assert ((drawn == (sex, age)).all(axis=1)).any(), (sex, age)


def test_a_damaged_cache_is_built_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(library, "_build", lambda: LIBRARY)
    mesh_library.cache_clear()
    assert mesh_library() is LIBRARY
    (written,) = (tmp_path / "roadloop").glob("meshes-*.npz")
    mesh_library.cache_clear()
    again = mesh_library()
    assert again is not LIBRARY and np.array_equal(again.corner, LIBRARY.corner)
    written.write_bytes(b"PK" + written.read_bytes()[2:2000])
    mesh_library.cache_clear()
    assert mesh_library() is LIBRARY


def test_every_actor_has_a_model_that_exists():
    """Over kinds, sizes and appearances; the host's numbers of cars are the kernel's."""
    rng = np.random.default_rng(1)
    count = 4000
    kind = rng.integers(0, 6, count).astype(np.int32)
    size = np.stack([rng.uniform(0.3, 18.0, count), rng.uniform(0.3, 2.6, count), rng.uniform(0.8, 4.2, count)], 1)
    cars = kind == 0
    size[cars] = np.stack(
        [rng.uniform(3.0, 5.6, cars.sum()), np.full(cars.sum(), 1.8), rng.uniform(1.2, 2.3, cars.sum())], 1
    )
    outputs = [wp.zeros(count, dtype=wp.int32, device="cpu")]
    inputs = [kind, size.astype(np.float32), rng.integers(0, 65536, count).astype(np.int32)]
    inputs += [rng.uniform(0.0, 50.0, count).astype(np.float32), rng.choice([0.0, 1.3], count).astype(np.float32)]
    arrays = [
        wp.array(a, dtype=t, device="cpu")
        for a, t in zip(inputs, (wp.int32, wp.vec3, wp.int32, wp.float32, wp.float32))
    ]
    wp.launch(choose_models, count, inputs=arrays, outputs=outputs, device="cpu")
    model = np.asarray(outputs[0].numpy())
    assert (LIBRARY.count[model, :LEVELS] > 0).all()
    people = kind == 3
    assert (people == ((model >= Model.PERSON) & (model < Model.PERSON + BODIES * POSES))).all()
    pose = (model[people] - Model.PERSON) % POSES
    assert ((pose == WALK_PHASES) == (inputs[4][people] == 0.0)).all()
    small = size[people, 2] < 1.47
    assert ((LIBRARY.person[model[people], 1] == Age.CHILD) == small).all()
    known = {car_number(k, v) for k in range(len(CLASSES)) for v in range(VARIANTS)}
    assert set(model[cars]) <= known and len(set(model[cars])) > 30
    assert len(set(model[kind == 1])) >= 7 and len(set(model[kind == 2])) == 4
    assert len(set(model[kind == 4])) == 16 and len(set(model[kind == 5])) == 4
