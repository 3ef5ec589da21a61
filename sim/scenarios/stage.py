"""A scenario's batch as cameras, perception and driving agents see it: `World`, `State`, and what the ego senses.

The player keeps entities in float64 about their own reference points; this module shows them in the types that the
rest of Roadloop shares and with the senses of `Simulator`, so that a renderer, a detector or an agent cannot tell the
one from the other. The ego is actor 0, the others follow in file order.
"""

import numpy as np
import torch

from configs.schema import SimConfig
from sim.buffers import allocate
from sim.frames import wrap_angle_rad
from sim.roads.routes import LaneRoute, RouteFinder
from sim.scenarios.player import EgoCommand, Player
from sim.types import ROUTE_POINTS, ROUTE_STEP_M, Action, ActorKind, Boxes3D, EgoState, LaneGraph, Route

KIND_OF_CATEGORY = {
    "car": ActorKind.CAR,
    "van": ActorKind.CAR,
    "truck": ActorKind.TRUCK,
    "semitrailer": ActorKind.TRUCK,
    "trailer": ActorKind.TRUCK,
    "train": ActorKind.BUS,
    "tram": ActorKind.BUS,
    "bus": ActorKind.BUS,
    "motorbike": ActorKind.MOTORCYCLE,
    "bicycle": ActorKind.BICYCLE,
    "pedestrian": ActorKind.PEDESTRIAN,
    "wheelchair": ActorKind.PEDESTRIAN,
    "animal": ActorKind.PEDESTRIAN,
}
AHEAD_M = 1000.0  # of route where a scenario gives its ego no goal
_SEARCH_POINTS = 24  # of the route on either side of where the ego was a tick ago


class Stage:
    """B runs of a player, seen by its ego. Numbers are refreshed by `step`; results are the same buffers every call."""

    def __init__(
        self,
        player: Player,
        lanes: LaneGraph,
        ego: str,
        goal_xy_world_m: np.ndarray | None = None,
    ) -> None:
        """`goal_xy_world_m` (B, 2): where each ego should go; straight on where there is none.

        All runs look alike (seed 0): what differs between them is what the scenario says.

        Raises ValueError where an ego stands beside all lanes or no lane leads to its goal.
        """
        self.player = player
        runs, entities = player.state.x_m.shape
        first = player.entities.index(ego)
        self._order = torch.tensor([first, *(e for e in range(entities) if e != first)])
        self.names = tuple(player.entities.names[e] for e in self._order)
        config = SimConfig(worlds=1, actors=entities, pedestrians=0, dt_s=player.dt_s)
        buffers = allocate(lanes, config, runs, torch.zeros(entities, dtype=torch.bool), torch.device("cpu"))
        self.world, self.state = buffers.world, buffers.state
        self._route, self._ego, self._boxes = buffers.route, buffers.ego, buffers.boxes
        self._fill_world()
        self._plan(lanes, goal_xy_world_m)
        self._refresh(torch.zeros(runs))

    def step(self, action: Action | None) -> None:
        """Let the player advance by a tick with the ego's command, column 0 of `action` (B, N), or by the file."""
        before = self.state.yaw_world_rad[:, 0].clone()
        if action is None:
            self.player.step()
        else:
            accel = action.accel_mps2[:, :1].masked_fill(~action.valid[:, :1], 0.0)
            self.player.step(EgoCommand(accel.double(), action.steer_rad[:, :1].double()))
            self.state.steer_rad[:, :1] = action.steer_rad[:, :1]
        self._refresh(before)

    # ---------------------------------------------------------------- senses

    def ego_state(self) -> EgoState:
        """Odometry of each ego."""
        return self._ego

    def route(self) -> Route:
        """The route ahead of each ego."""
        return self._route

    def boxes_3d(self) -> Boxes3D:
        """All entities but the ego, in the ego frame."""
        return self._boxes

    # ---------------------------------------------------------------- set-up

    def _fill_world(self) -> None:
        entities, order = self.player.entities, self._order
        kinds = [_actor_kind(entities.kinds[e], entities.categories[e]) for e in order.tolist()]
        self.world.kind[:] = torch.tensor(kinds, dtype=torch.int32)
        self.world.size_m[:] = entities.size_m[:, order].float()
        self.world.wheelbase_m[:] = entities.wheelbase_m[:, order].float()
        # An entity looks the same in every run, and unlike its neighbour.
        self.world.appearance_id[:] = (torch.arange(len(order), dtype=torch.int32) * 7 + 3) % 64
        self.world.controlled[:, 0] = True

    def _plan(self, lanes: LaneGraph, goal_xy_world_m: np.ndarray | None) -> None:
        """The ego's route as points every 2 m, with the speed limit of each; runs padded to the longest."""
        finder, state, first = RouteFinder(lanes), self.player.state, int(self._order[0])
        limits, found = lanes.speed_limit_mps.numpy(), []
        for run in range(len(self.world.seed)):
            start = finder.locate(
                np.array((float(state.x_m[run, first]), float(state.y_m[run, first]))),
                float(state.heading_rad[run, first]),
            )
            if goal_xy_world_m is None:
                route: LaneRoute = finder.onward(start, AHEAD_M)
            else:
                route = finder.find(start, finder.locate(goal_xy_world_m[run]))
            xy, lane = finder.points(route, ROUTE_STEP_M)
            found.append((xy, limits[lane]))
            for column, index in enumerate(route.lanes[: self.world.route_lane.shape[1]]):
                self.world.route_lane[run, column] = index
                self.world.route_valid[run, column] = True
            self.world.route_length_m[run] = (len(xy) - 1) * ROUTE_STEP_M
        longest = max(len(xy) for xy, _ in found)
        self._points_m = torch.zeros(len(found), longest, 2, dtype=torch.float64)
        self._limit_mps = torch.zeros(len(found), longest)
        self._last = torch.tensor([len(xy) - 1 for xy, _ in found])
        for run, (xy, limit) in enumerate(found):
            # Beyond its end a route repeats its last point, which the search then never prefers.
            self._points_m[run] = torch.from_numpy(np.concatenate((xy, np.repeat(xy[-1:], longest - len(xy), 0))))
            self._limit_mps[run] = torch.from_numpy(np.concatenate((limit, np.repeat(limit[-1:], longest - len(xy)))))
        self._at = torch.zeros(len(found), dtype=torch.int64)

    # ---------------------------------------------------------------- every tick

    def _refresh(self, yaw_before: torch.Tensor) -> None:
        """Copy the player's tick into the shared types."""
        source, state, order = self.player.state, self.state, self._order
        entities = self.player.entities
        heading = source.heading_rad[:, order].contiguous()
        # Our boxes lie half a wheelbase ahead of the rear axle; the file's reference point may be elsewhere.
        shift = (entities.centre_offset_m - 0.5 * entities.wheelbase_m)[:, order]
        left = entities.centre_left_m[:, order]
        c, n = torch.cos(heading), torch.sin(heading)
        self._exact = torch.stack(
            (source.x_m[:, order] + shift * c - left * n, source.y_m[:, order] + shift * n + left * c), dim=-1
        )
        state.xy_world_m[:] = self._exact.float()
        state.z_world_m[:] = source.z_m[:, order].float()
        state.yaw_world_rad[:] = wrap_angle_rad(heading).float()
        state.speed_mps[:] = source.speed_mps[:, order].float()
        state.accel_mps2[:] = source.accel_mps2[:, order].float()
        state.valid[:] = source.valid[:, order]
        state.walk_s_m[:] = source.travelled_m[:, order].float()
        state.tick[:] = self.player.tick
        state.yaw_rate_radps[:, 0] = wrap_angle_rad(state.yaw_world_rad[:, 0] - yaw_before) / self.player.dt_s
        hit = self.player.collisions(self.names[0])[:, order]
        state.collided[:] = hit
        state.collided[:, 0] = hit.any(dim=1)
        state.collided_with[:, 0] = hit.int().argmax(dim=1).int()
        state.offroad[:, 0] = surface_edge_m(self.world.lanes, self._corners()).amin(dim=1) < 0.0
        self._sense_ego()
        self._sense_route(heading[:, 0])
        self._sense_boxes(heading)

    def _corners(self) -> torch.Tensor:
        """The corners (B, 4, 2) of each ego's box."""
        half = 0.5 * self.world.size_m[:, 0, :2].double()
        middle = 0.5 * self.world.wheelbase_m[:, :1].double()
        along = middle + half[:, :1] * torch.tensor((1.0, 1.0, -1.0, -1.0), dtype=torch.float64)
        across = half[:, 1:] * torch.tensor((1.0, -1.0, -1.0, 1.0), dtype=torch.float64)
        yaw = self.state.yaw_world_rad[:, :1].double()
        c, n = torch.cos(yaw), torch.sin(yaw)
        offset = torch.stack((along * c - across * n, along * n + across * c), dim=-1)
        return self._exact[:, :1] + offset

    def _sense_ego(self) -> None:
        ego, state, world = self._ego, self.state, self.world
        for name in ("speed_mps", "accel_mps2", "steer_rad", "yaw_rate_radps"):
            getattr(ego, name)[:] = getattr(state, name)[:, 0]
        ego.wheelbase_m[:] = world.wheelbase_m[:, 0]
        ego.size_m[:] = world.size_m[:, 0]
        ego.time_s[:] = state.tick * world.dt_s

    def _sense_route(self, heading: torch.Tensor) -> None:
        """The foot of each ego on its route, found near the last one, and the points ahead of it."""
        route, xy = self._route, self._exact[:, 0]
        rows = torch.arange(len(xy))
        near = self._at[:, None] + torch.arange(-_SEARCH_POINTS, _SEARCH_POINTS + 1)
        near = near.clamp(min=0).minimum(self._last[:, None] - 1).clamp(min=0)
        start = self._points_m[rows[:, None], near]
        chord = self._points_m[rows[:, None], near + 1] - start
        length = chord.norm(dim=2).clamp(min=1e-9)
        reach = xy[:, None] - start
        share = ((reach * chord).sum(dim=2) / length**2).clamp(0.0, 1.0)
        away = (reach - share[..., None] * chord).norm(dim=2)
        best = away.argmin(dim=1)
        self._at = near[rows, best]
        s = (self._at + share[rows, best]) * ROUTE_STEP_M
        unit = chord[rows, best] / length[rows, best, None]
        lateral = unit[:, 0] * reach[rows, best, 1] - unit[:, 1] * reach[rows, best, 0]
        total = self._last * ROUTE_STEP_M
        ahead = s[:, None] + torch.arange(ROUTE_POINTS) * ROUTE_STEP_M
        route.valid[:] = ahead <= total[:, None]
        held = (ahead.minimum(total[:, None]) / ROUTE_STEP_M).clamp(min=0.0)
        index = held.long().minimum(self._last[:, None] - 1).clamp(min=0)
        low, high = self._points_m[rows[:, None], index], self._points_m[rows[:, None], index + 1]
        points = low + (high - low) * (held - index)[..., None] - xy[:, None]
        c, n = torch.cos(heading.contiguous())[:, None], torch.sin(heading.contiguous())[:, None]
        route.xy_ego_m[..., 0] = (c * points[..., 0] + n * points[..., 1]).float()
        route.xy_ego_m[..., 1] = (c * points[..., 1] - n * points[..., 0]).float()
        route.speed_limit_mps[:] = self._limit_mps[rows[:, None], index]
        route.lateral_m[:] = lateral.float()
        course = torch.atan2(unit[:, 1].contiguous(), unit[:, 0].contiguous())
        route.heading_rad[:] = wrap_angle_rad(heading - course).float()
        route.remaining_m[:] = (total - s).clamp(min=0.0).float()
        self.state.progress_m[:] = torch.maximum(self.state.progress_m, s.float())

    def _sense_boxes(self, heading: torch.Tensor) -> None:
        boxes, state, world = self._boxes, self.state, self.world
        c, n = torch.cos(heading), torch.sin(heading)
        base = 0.5 * world.wheelbase_m.double()
        middle = self._exact + base[..., None] * torch.stack((c, n), dim=-1)
        reach = middle[:, 1:] - self._exact[:, :1]
        ego_c, ego_n = c[:, :1], n[:, :1]
        turned = wrap_angle_rad(heading[:, 1:] - heading[:, :1])
        speed, seen = state.speed_mps[:, 1:].double(), state.valid[:, 1:]
        boxes.center_ego_m[..., 0] = (ego_c * reach[..., 0] + ego_n * reach[..., 1]).float()
        boxes.center_ego_m[..., 1] = (ego_c * reach[..., 1] - ego_n * reach[..., 0]).float()
        boxes.center_ego_m[..., 2] = 0.5 * world.size_m[:, 1:, 2]
        boxes.size_m[:] = world.size_m[:, 1:]
        boxes.yaw_ego_rad[:] = turned.float()
        velocity = torch.stack((speed * torch.cos(turned), speed * torch.sin(turned)), dim=-1)
        boxes.velocity_ego_mps[:] = velocity.float()
        boxes.kind[:] = world.kind[:, 1:]
        boxes.track_id[:] = torch.arange(1, world.kind.shape[1], dtype=torch.int32)
        boxes.score[:] = seen.float()
        boxes.valid[:] = seen
        for rows in (boxes.center_ego_m, boxes.size_m, boxes.yaw_ego_rad, boxes.velocity_ego_mps, boxes.kind):
            rows[~seen] = 0


def _actor_kind(kind: str, category: str) -> int:
    """What an entity counts as for those who only know traffic; things in the way count as cars."""
    return int(ActorKind.PEDESTRIAN if kind == "pedestrian" else KIND_OF_CATEGORY.get(category, ActorKind.CAR))


def surface_edge_m(lanes: LaneGraph, xy_world_m: torch.Tensor) -> torch.Tensor:
    """Signed distance of points (..., 2) to the edge of the first map's surface, inside positive, clipped to 8 m."""
    at = (xy_world_m - lanes.edge_origin_world_m[0]) / lanes.edge_cell_m
    columns, rows = lanes.edge_shape[0].tolist()
    low = at.floor().long()
    inside = (low >= 0).all(-1) & (low[..., 0] + 1 < columns) & (low[..., 1] + 1 < rows)
    x, y = low[..., 0].clamp(0, columns - 2), low[..., 1].clamp(0, rows - 2)
    share = at - low
    table = lanes.edge_distance_m[int(lanes.edge_first[0]) :][: rows * columns].reshape(rows, columns)
    below = table[y, x] * (1.0 - share[..., 0]) + table[y, x + 1] * share[..., 0]
    above = table[y + 1, x] * (1.0 - share[..., 0]) + table[y + 1, x + 1] * share[..., 0]
    return torch.where(inside, below * (1.0 - share[..., 1]) + above * share[..., 1], -8.0)
