"""The lane graph as kernels read it: samples and lanes as 4-vectors, conflicts ranked, entries of each map listed."""

from typing import Any

import torch
import warp as wp

from sim.kernels.lanes import Lanes, scan_curve_speed
from sim.kernels.sense import observation_part
from sim.types import LaneGraph

MAX_LANES = 2**23 - 1  # what the lane bits of a sort key hold

_CLEAR_REACH_M = 9.0  # farther than any vehicle's nose is from its rear axle
_MAX_REACH = 16  # samples

# Fields that kernels read as they are
_SAME = (
    "width_m",
    "cycle_m",
    "sample_lane",
    "sample_first",
    "successor_first",
    "successor",
    "predecessor_first",
    "predecessor",
    "conflict_first",
    "conflict_lane",
    "brush_first",
    "brush_lane",
    "brush_kind",
    "diverge_m",
    "signal_first",
    "signal_junction",
    "halt_first",
    "halt_m",
    "halt_group",
    "crosswalk_first",
    "parking_first",
    "kerb_side",
    "stop_m",
    "lane_first",
    "grid_first",
    "cell_first",
    "cell_sample",
    "edge_first",
    "edge_distance_m",
)
_SCALARS = {torch.float32: wp.float32, torch.int32: wp.int32, torch.int64: wp.int64, torch.bool: wp.bool}
_VECTORS = {
    (torch.float32, 2): wp.vec2,
    (torch.float32, 3): wp.vec3,
    (torch.float32, 4): wp.vec4,
    (torch.float32, 28): observation_part,
    (torch.int32, 2): wp.vec2i,
    (torch.int32, 4): wp.vec4i,
}


def warp_view(tensor: torch.Tensor, vector: bool = False) -> wp.array:
    """Zero-copy Warp view of a tensor; with `vector` its last axis becomes a vector type."""
    dtype = _VECTORS[tensor.dtype, tensor.shape[-1]] if vector else _SCALARS[tensor.dtype]
    return wp.from_torch(tensor, dtype=dtype, requires_grad=False)


def pack_lanes(g: LaneGraph, device: torch.device) -> tuple[Any, list[torch.Tensor]]:
    """The kernels' struct of a graph on `device`, and the tensors it points to, which the caller must keep alive.

    Raises ValueError where there are more lanes than a sort key can number.
    """
    count = len(g.length_m)
    if count > MAX_LANES:
        raise ValueError(f"the maps have {count} lanes together, at most {MAX_LANES} are possible: use fewer maps")
    bend = torch.zeros(count, device=device)
    bend.scatter_reduce_(0, g.sample_lane.long(), g.curvature_1pm.abs(), "amax")
    entry_first, entry_lane = _entries(g)
    vectors = {
        "pose": torch.cat((g.xy_world_m, g.yaw_world_rad[:, None], g.curvature_1pm[:, None]), dim=1),
        "meta": torch.stack((g.length_m, 1.0 / g.step_m, g.speed_limit_mps, g.is_junction.float()), dim=1),
        "relief": torch.stack((g.z_world_m, _grade(g), g.width_m, _clearance(g)), dim=1),
        "side_lane": torch.stack((g.left_lane, g.right_lane), dim=1),
        "side_valid": torch.stack((g.has_left, g.has_right), dim=1).int(),
        "conflict_span_m": g.conflict_span_m,
        "brush_span_m": g.brush_span_m,
        "control": torch.stack((g.control, g.signal_group), dim=1),
        "signal_plan_s": g.signal_plan_s,
        "crosswalk_world": g.crosswalk_world,
        "parking_world": g.parking_world,
        "grid_origin_world_m": g.grid_origin_world_m,
        "grid_shape": g.grid_shape,
        "edge_origin_world_m": g.edge_origin_world_m,
        "edge_shape": g.edge_shape,
    }
    scalars = {
        "curve_speed_mps": torch.zeros(len(g.width_m)),
        "bend_1pm": bend,
        "conflict_rank": _conflict_rank(g),
        "entry_first": entry_first,
        "entry_lane": entry_lane,
    } | {name: getattr(g, name) for name in _SAME}
    packed, kept = Lanes(), []
    for name, tensor in (vectors | scalars).items():
        if len(tensor) == 0:  # a map without conflicts, say: kernels never index it, but Warp wants a row
            tensor = tensor.new_zeros(1, *tensor.shape[1:])
        kept.append(tensor.to(device).contiguous())
        setattr(packed, name, warp_view(kept[-1], name in vectors))
    packed.halts, packed.cycle_lanes = len(g.halt_m), int(bool(g.cycle_m.any()))
    packed.grid_cell_m = float(g.grid_cell_m)
    packed.edge_cell_m = float(g.edge_cell_m)
    wp_device = wp.device_from_torch(device)
    wp.launch(scan_curve_speed, dim=count, inputs=[packed], outputs=[packed.curve_speed_mps], device=wp_device)
    return packed, kept


def _grade(g: LaneGraph) -> torch.Tensor:
    """Rise per metre (P,) from each sample to the next of its lane; the last sample's is that of the one before."""
    rise = torch.zeros_like(g.z_world_m)
    rise[:-1] = g.z_world_m[1:] - g.z_world_m[:-1]
    last = (g.sample_first[1:] - 1).long()
    before = torch.maximum(last - 1, g.sample_first[:-1].long())
    rise[last] = torch.where(before < last, rise[before], torch.zeros_like(rise[last]))
    return rise / g.step_m[g.sample_lane.long()]


def _clearance(g: LaneGraph) -> torch.Tensor:
    """Least distance (P,) to the surface's edge from the centres within `_CLEAR_REACH_M` along the lane; -1 near its
    ends, where vehicles reach beyond them."""
    lane = g.sample_lane.long()
    world_map = torch.searchsorted(g.lane_first.long(), lane, right=True) - 1
    low, shape = g.edge_origin_world_m[world_map], g.edge_shape[world_map].long()
    at = ((g.xy_world_m - low) / g.edge_cell_m).clamp(min=0.0)
    corner = torch.minimum(at.long(), shape - 2)
    share = (at - corner).clamp(max=1.0)
    first = g.edge_first[world_map].long() + corner[:, 1] * shape[:, 0] + corner[:, 0]
    rows = [
        torch.lerp(g.edge_distance_m[first + row * shape[:, 0]], g.edge_distance_m[first + row * shape[:, 0] + 1], x)
        for row, x in ((0, share[:, 0]), (1, share[:, 0]))
    ]
    here = torch.lerp(rows[0], rows[1], share[:, 1])
    index = torch.arange(len(lane), device=lane.device)
    before, behind = index - g.sample_first[lane], g.sample_first[lane + 1] - 1 - index
    reach = torch.ceil(_CLEAR_REACH_M / g.step_m[lane])
    inside = (before >= reach) & (behind >= reach) & (reach <= _MAX_REACH)
    least = here.clone()
    for shift in range(1, _MAX_REACH + 1):
        for way in (-shift, shift):
            other = here[(index + way).clamp(0, len(index) - 1)]
            least = torch.where(inside & (reach >= shift), torch.minimum(least, other), least)
    return torch.where(inside, least, torch.full_like(least, -1.0))


def _entries(g: LaneGraph) -> tuple[torch.Tensor, torch.Tensor]:
    """Per map, the lanes that no other lane leads into (CSR): where traffic can come in from outside."""
    no_predecessor = (g.predecessor_first[1:] == g.predecessor_first[:-1]) & ~g.is_junction & (g.length_m > 20.0)
    entry_lane = torch.nonzero(no_predecessor).flatten()
    entry_first = torch.searchsorted(entry_lane, g.lane_first.long())
    if len(entry_lane) == 0:
        entry_lane = entry_lane.new_zeros(1)
    return entry_first.int(), entry_lane.int()


def _conflict_rank(g: LaneGraph) -> torch.Tensor:
    """Per conflict: 1 where only this lane gives way, -1 where only the other one does, 0 where both or neither do."""
    lane_count = len(g.length_m)
    owner = torch.repeat_interleave(
        torch.arange(lane_count, device=g.conflict_first.device), (g.conflict_first[1:] - g.conflict_first[:-1]).long()
    )
    other = g.conflict_lane.long()
    if len(other) == 0:
        return torch.zeros(1, dtype=torch.int32, device=other.device)
    forward, backward = owner * lane_count + other, other * lane_count + owner
    by_key = torch.argsort(forward)
    found = torch.searchsorted(forward[by_key], backward).clamp(max=len(forward) - 1)
    mirrored = by_key[found]
    has_mirror = forward[mirrored] == backward
    other_yields = g.conflict_yields[mirrored] & has_mirror
    return g.conflict_yields.int() - other_yields.int()
