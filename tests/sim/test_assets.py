"""Models of users: round trips, how they are simplified, and files that mean harm."""

import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_scene import BARE, TEXTURES, Actor, make_world, nobody

from configs.schema import CameraConfig
from sim.meshes.assets import asset_models, with_assets
from sim.meshes.glb import LEVEL_TRIANGLES, read_glb, simplified
from sim.meshes.library import LEVELS, MODELS, SPECK, mesh_library
from sim.meshes.sculpt import Mesh, blob
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.weather import weather_by_name
from sim.types import ActorKind


def document(
    points: np.ndarray, order: np.ndarray, colour: tuple[float, ...] = (0.0, 0.0, 1.0, 1.0)
) -> tuple[dict, bytes]:
    """A glTF document of one mesh and its binary chunk."""
    binary = points.astype("<f4").tobytes() + order.astype("<u2").tobytes()
    split = points.size * 4
    views = [{"buffer": 0, "byteLength": split}, {"buffer": 0, "byteOffset": split, "byteLength": order.size * 2}]
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorFactor": list(colour)}}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": order.size, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }, binary


def write(path: Path, tree: dict | bytes, binary: bytes) -> Path:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
    return path


def ball(level: int = 2) -> tuple[np.ndarray, np.ndarray]:
    corners = blob((0.0, 0.0, 0.0), (1.0, 2.0, 3.0), level, 0.0, None)
    points, order = np.unique(corners.reshape(-1, 3).astype(np.float32), axis=0, return_inverse=True)
    return points, order.reshape(-1)


def test_a_mesh_comes_back_in_our_axes_where_its_nodes_put_it(tmp_path):
    points, order = ball()
    tree, binary = document(points, order)
    half = np.sqrt(0.5)  # a quarter turn about y, then 10 m up
    tree["nodes"] = [
        {"children": [1], "translation": [0, 10, 0]},
        {"mesh": 0, "rotation": [0, half, 0, half], "scale": [2, 1, 1]},
    ]
    mesh, colours = read_glb(write(tmp_path / "a.glb", tree, binary))
    x, y, z = (points[order] * (2, 1, 1)).T
    turned = np.stack([z, y + 10, -x], 1)
    want = turned[:, [2, 0, 1]].reshape(-1, 3, 3)
    np.testing.assert_allclose(mesh.corners_m, want, atol=1e-5)
    assert colours[:, :3].tolist() == [[0.0, 0.0, 1.0]] and (mesh.material == 0).all()


def test_mirrored_nodes_keep_their_outside_outside(tmp_path):
    tree, binary = document(*ball())
    tree["nodes"][0]["scale"] = [-1, 1, 1]
    corner = read_glb(write(tmp_path / "a.glb", tree, binary))[0].corners_m
    assert np.einsum("ti,ti->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) > 0


def test_simplified_meshes_keep_their_shape_within_the_limit():
    corners = blob((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 4, 0.0, None)
    mesh = Mesh(corners, np.zeros(len(corners), np.int32))
    assert simplified(mesh, 10_000) is mesh
    for most in LEVEL_TRIANGLES:
        found = simplified(mesh, most)
        assert 0.25 * most < len(found.material) <= most
        radius = np.linalg.norm(found.corners_m, axis=2)
        assert radius.max() <= 1.0 + 1e-9 and radius.min() > 0.5


def test_a_users_model_is_drawn_in_its_colour_and_fills_the_actors_box(tmp_path):
    path = write(tmp_path / "ball.glb", *document(*ball(3), (0.0, 0.0, 1.0, 1.0)))
    library = with_assets({"HATCHBACK": path, "SALOON": path, "ESTATE": path, "COUPE": path, "CITY": path})
    own = mesh_library()
    assert np.array_equal(library.corner[: len(own.corner)], own.corner)
    for model in asset_models()["SALOON"]:
        first, count = library.first[model, :LEVELS], library.count[model, :LEVELS]
        assert (library.count[model, LEVELS:] == 0).all()  # no doors of ours on it
        assert (count[:SPECK] <= LEVEL_TRIANGLES).all() and count[SPECK] == 16
        assert (count > 0).all() and (np.diff(first) == count[:-1]).all()
        points = library.corner[first[0] : first[0] + count[0]].reshape(-1, 3)
        np.testing.assert_allclose([points.min(0), points.max(0)], [[-0.5, -0.5, 0], [0.5, 0.5, 1]], atol=1e-6)
    world, state = make_world([[Actor(ActorKind.CAR, 9.0, -1.75)]])
    camera = camera_from_config(CameraConfig(width_px=160, height_px=96, pitch_deg=0.0))
    renderer = Renderer(BARE, TEXTURES, camera, 1, 2, library=library)
    frame, truth = renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, 1))
    seen = frame.rgb[0, 0][truth.instance[0, 0] == 2].float().mean(0)
    assert len(seen) and seen[2] > 1.5 * seen[0]


def test_every_name_stands_for_models_that_exist():
    names, counts = asset_models(), mesh_library().count
    covered = [model for models in names.values() for model in models]
    assert all(counts[model, 0] > 0 for model in covered if model < MODELS and counts[model].any())
    assert {int(m) for m in np.flatnonzero(counts[:, 0]) if m < 14 or 24 <= m < 300} <= set(covered)


def test_an_unknown_name_is_told_with_those_that_exist():
    with pytest.raises(ValueError, match="unknown model 'SALOOON'; choose from SALOON"):
        with_assets({"SALOOON": Path("a.glb")})
    with pytest.raises(FileNotFoundError):
        with_assets({"SALOON": Path("/absent.glb")})


def broken(tree: dict, **changed: object) -> dict:
    """The tree with entries at dotted paths replaced."""
    copy = json.loads(json.dumps(tree))
    for path, value in changed.items():
        at, *keys = copy, *path.split("__")
        for key in keys[:-1]:
            at = at[int(key) if isinstance(at, list) else key]
        at[int(keys[-1]) if isinstance(at, list) else keys[-1]] = value
    return copy


HARMFUL = (
    ({"accessors__0__count": 10**9}, "count is"),
    ({"accessors__0__count": 5000}, "reaches beyond"),
    ({"accessors__0__count": -1}, "count is -1"),
    ({"accessors__0__byteOffset": 2**40}, "byteOffset"),
    ({"bufferViews__0__byteStride": 1}, "reaches beyond"),
    ({"accessors__0__componentType": 9999}, "of a kind"),
    ({"accessors__0__componentType": [5126]}, "componentType is"),
    ({"accessors__1__count": True}, "count is True"),
    ({"buffers__0__uri": "file:///etc/passwd"}, "outside the file"),
    ({"bufferViews__0__buffer": 7}, "does not exist"),
    ({"nodes__0__children": [0]}, "placed twice"),
    ({"nodes__0__children": 3}, "want a list"),
    ({"nodes__0__mesh": "0"}, "does not exist"),
    ({"nodes__0__scale": [1e400, 1, 1]}, "finite numbers"),
    ({"nodes__0__scale": [10**400, 1, 1]}, "finite numbers"),
    ({"nodes__0__scale": [0, 0, 0]}, "in size"),
    ({"nodes__0__matrix": [1, 2]}, "finite numbers"),
    ({"meshes__0__primitives__0__mode": 1}, "triangles alone"),
    ({"meshes__0__primitives": []}, "no triangles"),
    ({"meshes__0__primitives__0__attributes": None}, "does not exist"),
    ({"materials__0__pbrMetallicRoughness": 4}, "want an object"),
    ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "Draco"),
)


@pytest.mark.parametrize(("changed", "said"), HARMFUL, ids=lambda value: str(value)[:40])
def test_harmful_files_are_refused_by_name(tmp_path, changed, said):
    tree, binary = document(*ball(1))
    path = write(tmp_path / "bad.glb", broken(tree, **changed), binary)
    with pytest.raises(ValueError, match=said) as problem:
        read_glb(path)
    assert str(path) in str(problem.value)


def test_torn_files_and_noise_are_refused(tmp_path):
    good = write(tmp_path / "good.glb", *document(*ball(1))).read_bytes()
    rng = np.random.default_rng(3)
    path = tmp_path / "torn.glb"
    for cut in (0, 3, 12, 19, 30, len(good) // 2, len(good) - 5):
        path.write_bytes(good[:cut])
        with pytest.raises(ValueError, match=r"torn\.glb"):
            read_glb(path)
    for _ in range(200):
        bent = bytearray(good)
        for at in rng.integers(0, len(bent), 4):
            bent[at] = int(rng.integers(256))
        path.write_bytes(bytes(bent))
        try:
            mesh, colours = read_glb(path)
        except ValueError as problem:
            assert "torn.glb" in str(problem)
        else:
            assert np.isfinite(mesh.corners_m).all() and mesh.material.max() < len(colours)
    write(path, b"[" * 100_000, b"")
    with pytest.raises(ValueError, match="JSON"):
        read_glb(path)


def test_positions_must_be_finite(tmp_path):
    points, order = ball(1)
    points[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite points"):
        read_glb(write(tmp_path / "nan.glb", *document(points, order)))


def test_replacing_nothing_leaves_the_library_as_it_is():
    own = mesh_library()
    assert replace(with_assets({})).corner is own.corner
