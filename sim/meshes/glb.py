"""A user's .glb in place of one of our models: triangles and base colours of a binary glTF 2.0 file.

The file is untrusted: it is read by offsets that are checked first, nothing outside it is followed, and sizes are
bounded. What is not read: textures, vertex colours, skins, morphs, compression. Source: Khronos, glTF 2.0, 2021.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from sim.meshes.sculpt import Mesh, face_normals

MOST_BYTES = 64 << 20
MOST_TRIANGLES = 2_000_000
MOST_NODES = 4096
LEVEL_TRIANGLES = (1000, 150, 30)  # that are kept at each level of detail
COLOURS = 32  # of one asset
_COMPONENT = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
_WIDTH = {"SCALAR": 1, "VEC3": 3}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < 1e30


class _Glb:
    """The JSON and the binary chunk of one file. Every look-up raises ValueError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise self.error(f"{size} bytes; at most {MOST_BYTES} are read, simplify the model")
        data = path.read_bytes()
        if len(data) < 20 or data[:4] != b"glTF":
            raise self.error("no binary glTF; export the model as .glb")
        version, length = struct.unpack_from("<II", data, 4)
        if version != 2 or length > len(data):
            raise self.error(f"glTF version {version}, {len(data)} of {length} bytes; export it anew as glTF 2.0")
        self.binary = b""
        document: Any = None
        at = 12
        while at + 8 <= length:
            count, kind = struct.unpack_from("<I4s", data, at)
            chunk = data[at + 8 : at + 8 + count]
            if len(chunk) != count:
                raise self.error(f"a chunk at byte {at} is cut off; copy the file again")
            if kind == b"JSON" and document is None:
                document = self._json(chunk)
            elif kind == b"BIN\0" and not self.binary:
                self.binary = chunk
            at += 8 + count
        if not isinstance(document, dict):
            raise self.error("no JSON chunk; export it anew")
        self.document = document
        needed = document.get("extensionsRequired", [])
        if needed:
            raise self.error(f"needs the extensions {needed}; export it without them (no Draco, no meshopt)")

    def error(self, what: str) -> ValueError:
        return ValueError(f"{self.path}: {what}")

    def _json(self, chunk: bytes) -> Any:
        try:
            return json.loads(chunk)
        except (ValueError, RecursionError) as problem:
            raise self.error(f"its JSON cannot be read ({problem}); export it anew") from None

    def item(self, kind: str, index: Any) -> dict[str, Any]:
        """An entry of one of the document's lists."""
        rows = self.document.get(kind, [])
        whole = isinstance(index, int) and not isinstance(index, bool)
        if not isinstance(rows, list) or not whole or not 0 <= index < len(rows) or not isinstance(rows[index], dict):
            raise self.error(f"{kind}[{index}] does not exist; export it anew")
        return rows[index]

    def number(self, row: dict[str, Any], key: str, default: int | None = None) -> int:
        value = row.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_BYTES:
            raise self.error(f"{key} is {value!r}; want a whole number from 0 to {MOST_BYTES}")
        return value

    def accessor(self, index: Any) -> np.ndarray:
        """Values (n, width) of an accessor."""
        row = self.item("accessors", index)
        kind, width = _COMPONENT.get(self.number(row, "componentType")), _WIDTH.get(str(row.get("type")))
        if kind is None or width is None or "sparse" in row or row.get("normalized"):
            raise self.error(f"accessors[{index}] is of a kind that is not read; export plain float positions")
        view = self.item("bufferViews", row.get("bufferView"))
        buffer = self.item("buffers", self.number(view, "buffer"))
        if "uri" in buffer or self.number(view, "buffer") != 0:
            raise self.error("keeps data outside the file; export one .glb with everything inside")
        count, bytes_each = self.number(row, "count"), np.dtype(kind).itemsize * width
        start = self.number(view, "byteOffset", 0) + self.number(row, "byteOffset", 0)
        stride = self.number(view, "byteStride", bytes_each) or bytes_each
        end = start + (count - 1) * stride + bytes_each if count else start
        if count > 3 * MOST_TRIANGLES or stride < bytes_each or end > len(self.binary):
            raise self.error(f"accessors[{index}] reaches beyond the data; export it anew")
        raw = np.frombuffer(self.binary, np.uint8)
        picked = np.lib.stride_tricks.as_strided(raw[start:end], (count, bytes_each), (stride, 1), writeable=False)
        return np.ascontiguousarray(picked).view(np.dtype(kind).newbyteorder("<")).reshape(count, width)

    def floats(self, row: dict[str, Any], key: str, default: list[float]) -> np.ndarray:
        values = np.array(row.get(key, default), dtype=object).reshape(-1)
        if len(values) != len(default) or not all(map(_is_finite, values)):
            raise self.error(f"{key} is {row.get(key)!r}; want {len(default)} finite numbers")
        return values.astype(np.float64)


def _transform(glb: _Glb, node: dict[str, Any]) -> np.ndarray:
    """A node's matrix (4, 4), from its matrix or its translation, rotation and scale."""
    if "matrix" in node:
        return glb.floats(node, "matrix", np.eye(4).reshape(-1).tolist()).reshape(4, 4).T
    x, y, z, w = glb.floats(node, "rotation", [0.0, 0.0, 0.0, 1.0])
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= glb.floats(node, "scale", [1.0, 1.0, 1.0])
    matrix[:3, 3] = glb.floats(node, "translation", [0.0, 0.0, 0.0])
    return matrix


def _children(glb: _Glb, row: dict[str, Any], key: str) -> list[Any]:
    found = row.get(key, [])
    if not isinstance(found, list):
        raise glb.error(f"{key} is {found!r}; want a list")
    return found


def _placed(glb: _Glb) -> list[tuple[dict[str, Any], np.ndarray]]:
    """Meshes of the scene with their matrices."""
    if "scenes" in glb.document:
        roots = _children(glb, glb.item("scenes", glb.document.get("scene", 0)), "nodes")
    else:
        roots = list(range(len(_children(glb, glb.document, "nodes"))))
    pending, result, seen = [(root, np.eye(4)) for root in roots], [], set()
    while pending:
        index, parent = pending.pop()
        node = glb.item("nodes", index)
        if index in seen or len(seen) >= MOST_NODES:
            raise glb.error(f"nodes[{index}] is placed twice, or there are over {MOST_NODES} nodes; join them")
        seen.add(index)
        matrix = parent @ _transform(glb, node)
        if "mesh" in node:
            result.append((glb.item("meshes", node["mesh"]), matrix))
        pending += [(child, matrix) for child in _children(glb, node, "children")]
    return result


def _colour(glb: _Glb, primitive: dict[str, Any]) -> tuple[float, float, float, float]:
    """Base colour, linear, and gloss from metalness and roughness."""
    if "material" not in primitive:
        return 0.5, 0.5, 0.5, 0.02
    pbr = glb.item("materials", primitive["material"]).get("pbrMetallicRoughness", {})
    if not isinstance(pbr, dict):
        raise glb.error(f"pbrMetallicRoughness is {pbr!r}; want an object")
    red, green, blue, _ = np.clip(glb.floats(pbr, "baseColorFactor", [1.0] * 4), 0.0, 1.0)
    metal, rough = (
        float(np.clip(glb.floats(pbr, f"{k}Factor", [1.0])[0], 0.0, 1.0)) for k in ("metallic", "roughness")
    )
    gloss = (0.04 + 0.30 * metal) * (1.0 - rough) ** 2
    return float(red), float(green), float(blue), gloss


def _primitive(glb: _Glb, primitive: Any, matrix: np.ndarray) -> np.ndarray:
    """Triangles (T, 3, 3) of one primitive, in our axes."""
    if not isinstance(primitive, dict) or primitive.get("mode", 4) != 4:
        raise glb.error("has lines, points or strips; export triangles alone")
    attributes = primitive.get("attributes")
    points = glb.accessor(attributes.get("POSITION") if isinstance(attributes, dict) else None)
    if points.shape[1] != 3 or points.dtype != np.float32 or not np.isfinite(points).all():
        raise glb.error("POSITION is not a list of finite points; export it anew")
    order = np.arange(len(points))
    if "indices" in primitive:
        indices = glb.accessor(primitive["indices"])
        if indices.shape[1] != 1 or indices.dtype == np.float32 or (len(indices) and indices.max() >= len(points)):
            raise glb.error("indices point beyond the vertices; export it anew")
        order = indices[:, 0].astype(np.int64)
    world = points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    corners = world[order[: len(order) // 3 * 3]].reshape(-1, 3, 3)
    if np.linalg.det(matrix[:3, :3]) < 0.0:
        corners = corners[:, ::-1]
    return corners[..., [2, 0, 1]]  # glTF looks along z with y up, we along x with z up


def read_glb(path: Path) -> tuple[Mesh, np.ndarray]:
    """A file's triangles, whose materials number the rows of the colours (C, 4) returned with them: linear RGB, gloss.

    Raises OSError where the file cannot be read, ValueError where it is no model that can be drawn.
    """
    glb = _Glb(path)
    corners: list[np.ndarray] = []
    material: list[np.ndarray] = []
    colours: dict[tuple[float, float, float, float], int] = {}
    total = 0
    for mesh, matrix in _placed(glb):
        for primitive in _children(glb, mesh, "primitives"):
            triangles = _primitive(glb, primitive, matrix)
            total += len(triangles)
            if total > MOST_TRIANGLES:
                raise glb.error(f"over {MOST_TRIANGLES} triangles; simplify the model")
            row = colours.setdefault(_colour(glb, primitive), len(colours))
            corners.append(triangles)
            material.append(np.full(len(triangles), min(row, COLOURS - 1), np.int32))
    if not total:
        raise glb.error("no triangles; export the visible parts of the model")
    together = np.concatenate(corners)
    extent = np.ptp(together.reshape(-1, 3), axis=0)
    if not (extent.min() > 1e-3 and extent.max() < 1e4):
        raise glb.error(f"{extent.round(4).tolist()} m in size; want 1 mm to 10 km along each axis")
    return Mesh(together, np.concatenate(material)), np.array(list(colours)[:COLOURS], np.float32)


def simplified(mesh: Mesh, most: int) -> Mesh:
    """At most `most` triangles: vertices in one cell of the finest grid that does it become one (Rossignac, Borrel)."""
    if len(mesh.material) <= most:
        return mesh
    points = mesh.corners_m.reshape(-1, 3)
    low, extent = points.min(axis=0), np.ptp(points, axis=0).max()
    coarse, fine = 1, 256
    best = _clustered(mesh, points, low, extent, 1)
    while fine - coarse > 1:
        cells = (coarse + fine) // 2
        found = _clustered(mesh, points, low, extent, cells)
        if len(found.material) <= most:
            coarse, best = cells, found
        else:
            fine = cells
    return best


def _clustered(mesh: Mesh, points: np.ndarray, low: np.ndarray, extent: float, cells: int) -> Mesh:
    cell = np.minimum(((points - low) / extent * cells).astype(np.int64), cells - 1)
    name = (cell[:, 0] * cells + cell[:, 1]) * cells + cell[:, 2]
    _, owner, count = np.unique(name, return_inverse=True, return_counts=True)
    middle = np.stack([np.bincount(owner, points[:, k]) for k in range(3)], 1) / count[:, None]
    corner = owner.reshape(-1, 3)
    whole = (corner[:, 0] != corner[:, 1]) & (corner[:, 1] != corner[:, 2]) & (corner[:, 2] != corner[:, 0])
    turned = np.take_along_axis(corner, (np.argmin(corner, axis=1)[:, None] + np.arange(3)) % 3, axis=1)
    _, first = np.unique(turned, axis=0, return_index=True)
    kept = np.zeros(len(corner), bool)
    kept[first] = True
    kept &= whole
    corners = middle[corner[kept]]
    area = np.linalg.norm(face_normals(corners), axis=1)
    flat = area < 1e-9 * extent * extent
    return Mesh(corners[~flat], mesh.material[kept][~flat])
