"""The batched world: B worlds x N actors in torch tensors that Warp kernels spawn and step in place.

One tick is what `step` reads like: traffic plans on the state before the tick, everybody moves, the orders along lanes
and along x are brought up to date, collisions are found. All buffers live as long as the simulator; nothing is
allocated in the loop, so callers that keep a result must copy it.
"""

from collections.abc import Sequence

import torch
import warp as wp

from configs.schema import SimConfig
from sim.buffers import allocate
from sim.launches import load, record
from sim.roads.lanegraph import to_device
from sim.roads.lanepack import pack_lanes
from sim.snapshot import Snapshot, maps_digest, put, take
from sim.types import Action, Boxes3D, EgoState, LaneGraph, Route
from sim.warp_start import finish_loading, start_warp

MAX_ACTORS = 2048  # two lane entries each fit the 12 slot bits of a sort key


class Simulator:
    """B worlds of N actors: the ego (actor 0), cars, trucks and buses, motorcycles, bicycles, parked cars, people.

    lanes: the maps. config: how many actors, how long a tick, how long a route. seeds (B,) int64 and map_index (B,)
    int32 say which episode each world starts. `controlled` (N,) bool: who `Action` moves; the ego by default.
    Raises ValueError where shapes, counts or map numbers do not fit.
    """

    def __init__(
        self,
        lanes: LaneGraph,
        config: SimConfig,
        seeds: torch.Tensor,
        map_index: torch.Tensor,
        device: str | torch.device = "cpu",
        controlled: torch.Tensor | Sequence[bool] | None = None,
    ) -> None:
        start_warp()
        self.config = config
        self.device = torch.device(device)
        self._wp_device = wp.device_from_torch(self.device)
        self.worlds = len(seeds)
        self.actors = config.actors
        self.people = config.pedestrians
        self.first_person = self.actors - self.people
        if self.first_person < 1:
            raise ValueError(
                f"sim.pedestrians is {config.pedestrians} of sim.actors {config.actors}: the ego needs a place too"
            )
        riders = config.cyclists + config.motorcycles
        if self.first_person < 1 + riders + config.parked:
            raise ValueError(
                f"sim.cyclists is {config.cyclists}, sim.motorcycles {config.motorcycles} and sim.parked "
                f"{config.parked}, but beside the ego "
                f"sim.actors {config.actors} has room for {self.first_person - 1} vehicles: raise it"
            )
        if self.actors > MAX_ACTORS:
            raise ValueError(f"sim.actors is {self.actors}, at most {MAX_ACTORS} are possible")
        if self.worlds < 1:
            raise ValueError("seeds is empty: at least one world is needed")
        self._maps = len(lanes.lane_first) - 1
        wants_control = self._control_mask(controlled)
        self._graph = to_device(lanes, self.device)
        loading = load(config, len(self._graph.signal_junction) > 0, self._wp_device)
        finish_loading(loading.rest)
        self._lanes, self._lane_tensors = pack_lanes(self._graph, self.device)
        self._buffers = allocate(self._graph, config, self.worlds, wants_control, self.device)
        self.world, self.state = self._buffers.world, self._buffers.state
        self._private = self._buffers.private
        self._digest: str | None = None
        self.programs = record(self._lanes, config, self._buffers, loading, self._wp_device)
        self.reset(torch.ones(self.worlds, dtype=torch.bool), seeds, map_index)

    # ---------------------------------------------------------------- episodes

    def reset(self, mask: torch.Tensor, seeds: torch.Tensor, map_index: torch.Tensor | None = None) -> None:
        """Start new episodes in the worlds of `mask` (B,) bool, in place, the same bits as in a fresh simulator.

        `seeds` (B,) int64 and `map_index` (B,) int32 are read where the mask is set; without `map_index` worlds keep
        their map. Raises ValueError on wrong shapes and unknown maps.
        """
        for name, value in (("mask", mask), ("seeds", seeds), ("map_index", map_index)):
            if value is not None and value.shape != (self.worlds,):
                raise ValueError(f"{name} has shape {tuple(value.shape)}, expected ({self.worlds},)")
        if map_index is not None:
            used = map_index[mask.to(map_index.device)]
            if len(used) and (int(used.min()) < 0 or int(used.max()) >= self._maps):
                raise ValueError(f"map_index must lie in 0..{self._maps - 1}, got {int(used.min())}..{int(used.max())}")
        self._buffers.mask.copy_(mask)
        self._buffers.new_seed.copy_(seeds)
        self._buffers.new_map.copy_(self.world.map_index if map_index is None else map_index)
        self.programs["reset"].run()

    def step(self, action: Action) -> None:
        """Advance every world by one tick of `world.dt_s` seconds; `action` rows count where `world.controlled`."""
        own = self._buffers.action
        if action.accel_mps2 is not own.accel_mps2:
            own.accel_mps2.copy_(action.accel_mps2)
            own.steer_rad.copy_(action.steer_rad)
            own.valid.copy_(action.valid)
        self.programs["step"].run()

    @property
    def action(self) -> Action:
        """The action buffer itself: fill it and hand it to `step` to save a copy."""
        return self._buffers.action

    # ---------------------------------------------------------------- senses

    def route(self) -> Route:
        """The route ahead of each ego; the same buffers every call."""
        self.programs["route"].run()
        return self._buffers.route

    def ego_state(self) -> EgoState:
        """Odometry of each ego; the same buffers every call."""
        self.programs["ego"].run()
        return self._buffers.ego

    def boxes_3d(self) -> Boxes3D:
        """All actors but the ego, K = N - 1 in actor order, in the ego frame; the same buffers every call."""
        self.programs["boxes"].run()
        return self._buffers.boxes

    def sense_reset(self) -> None:
        """Bring route, odometry and boxes up to date in the worlds last reset; the other rows stay as sensed."""
        self.programs["sense_reset"].run()

    def observe_all(self) -> torch.Tensor:
        """An observation of every actor (B, N, OBSERVATION_SIZE): itself, its path, its 8 nearest.

        Rows of invalid actors are zero.
        """
        self.programs["observe"].run()
        return self._buffers.observation

    # ---------------------------------------------------------------- snapshots

    def save(self, worlds: Sequence[int] | None = None) -> Snapshot:
        """Copy what a step reads of the named worlds, or of all, to put it back later, here or elsewhere."""
        return take(self._buffers, self.config, self._maps_digest(), self._rows(worlds))

    def restore(self, snapshot: Snapshot, worlds: Sequence[int] | None = None) -> None:
        """Go on from a snapshot, bit for bit: its first world in `worlds[0]` and so on, all worlds by default.

        Raises ValueError where number of worlds, maps or settings differ. Senses are up to date when asked for next.
        """
        put(snapshot, self._buffers, self.config, self._maps_digest(), self._rows(worlds))

    def _rows(self, worlds: Sequence[int] | None) -> torch.Tensor:
        rows = torch.arange(self.worlds) if worlds is None else torch.as_tensor(list(worlds), dtype=torch.int64)
        if len(rows) and (int(rows.min()) < 0 or int(rows.max()) >= self.worlds):
            raise ValueError(f"worlds must lie in 0..{self.worlds - 1}, got {rows.tolist()}")
        if len(rows.unique()) != len(rows):
            raise ValueError(f"worlds names one twice: {rows.tolist()}")
        return rows.to(self.device)

    def _maps_digest(self) -> str:
        if self._digest is None:
            self._digest = maps_digest(self._graph)
        return self._digest

    # ---------------------------------------------------------------- set-up

    def _control_mask(self, controlled: torch.Tensor | Sequence[bool] | None) -> torch.Tensor:
        mask = torch.zeros(self.actors, dtype=torch.bool)
        if controlled is None:
            mask[0] = True
        else:
            mask[:] = torch.as_tensor(controlled, dtype=torch.bool)
        first_parked = self.first_person - self.config.parked
        if mask[first_parked:].any():
            raise ValueError(
                f"controlled may only name moving vehicles (actors 0..{first_parked - 1}), not parked cars or people"
            )
        return mask.to(self.device)
