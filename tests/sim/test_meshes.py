import numpy as np

from sim.meshes.library import LEVELS, Model, build_mesh, makers, mesh_library
from sim.meshes.people import BODIES, POSES
from sim.meshes.sculpt import corner_normals
from sim.meshes.street import Street

LIBRARY = mesh_library()
MODELS = sorted(makers())
EVERY = [(model, level) for model in MODELS for level in range(LEVELS)]


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
        assert (1e-5 if model in (Street.TUFT, Street.WIRES) else 0.005) < volume <= 1.1, (model, level)


def test_people_in_all_poses_together_fill_the_unit_box():
    for body in range(BODIES):
        first = Model.PERSON + POSES * body
        for level in range(LEVELS):
            points = np.concatenate(
                [LIBRARY.corner[triangles(m, level)].reshape(-1, 3) for m in range(first, first + POSES)]
            )
            np.testing.assert_allclose(points.min(0), [-0.5, -0.5, 0.0], atol=1e-6)
            np.testing.assert_allclose(points.max(0), [0.5, 0.5, 1.0], atol=1e-6)


def test_triangle_counts_fit_the_name_bits_and_far_models_are_cheaper():
    assert LIBRARY.count.max() < 1024
    assert (np.diff(LIBRARY.count, axis=1) <= 0).all()
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


def test_normals_of_a_sphere_point_outward():
    corners = build_mesh(Model.POPLAR, 0).corners_m
    crown = corners[corners[:, :, 2].min(axis=1) > 2.6]
    normals = corner_normals(crown)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=2), 1.0, atol=1e-9)
    outward = crown - np.array([0.0, 0.0, 6.0])
    assert (np.einsum("tci,tci->tc", normals, outward) > 0).mean() > 0.97


def test_a_flat_face_keeps_its_own_normal():
    square = np.array(
        [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 0, -1], [1, 0, 0]]]
    )
    normals = corner_normals(square.astype(float))
    np.testing.assert_allclose(normals[:2], np.broadcast_to([0.0, 0.0, 1.0], (2, 3, 3)), atol=1e-12)
