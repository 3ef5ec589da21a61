"""Scores of a drive: completion, infractions, criticality, and one number for the whole.

The driving score is route completion times a factor for the infraction that ended the drive; the factors are those of
the CARLA leaderboard 2.0 for a pedestrian (0.50), a vehicle (0.60) and a static object (0.65, used here for leaving the
road). It is not the leaderboard's score: routes, traffic and the other infractions differ.
"""

from dataclasses import asdict, dataclass

import torch

from pipelines.rollout import Tick
from pipelines.runs import finite_or_none
from pipelines.verdicts.carla import FACTORS_2_0
from planning.route import route_coordinates, route_points
from sim.types import ActorKind, Boxes3D, EgoState, Route

PEDESTRIAN_FACTOR, VEHICLE_FACTOR, OFFROAD_FACTOR = (FACTORS_2_0[name] for name in ("pedestrian", "vehicle", "static"))


@dataclass(frozen=True)
class EpisodeScore:
    """One drive."""

    seed: int
    place: str
    weather: str
    ended: str  # arrived, collision, off road, off route, time
    route_completion: float  # share of the route's length, 0..1
    collision: bool
    hit_kind: str | None
    offroad: bool
    seconds: float
    distance_m: float
    mean_speed_mps: float
    min_ttc_s: float | None  # None: never closing in on anything
    driving_score: float

    def row(self) -> dict:
        """Plain values."""
        return asdict(self)


def time_to_collision_s(ego: EgoState, route: Route, boxes: Boxes3D) -> torch.Tensor:
    """TTC (B,) = gap / closing speed to the first to be reached of all objects in the ego's corridor along its route.

    Bumper to bumper along the route; infinite where nothing in the corridor is being approached.
    """
    where = route_coordinates(route_points(route), boxes)
    front_m = (0.5 * (ego.wheelbase_m + ego.size_m[:, 0]))[:, None]
    gap_m = where.along_m - where.half_along_m - front_m
    closing_mps = ego.speed_mps[:, None] - where.along_speed_mps
    inside = where.lateral_m.abs() < where.half_lateral_m + 0.5 * ego.size_m[:, 1:2]
    ahead = boxes.valid & inside & (where.along_m > 0.5 * ego.wheelbase_m[:, None]) & (closing_mps > 0.1)
    ttc_s = gap_m.clamp(min=0.0) / closing_mps.clamp(min=0.1)
    if ttc_s.shape[1] == 0:
        return torch.full_like(ego.speed_mps, torch.inf)
    return torch.where(ahead, ttc_s, torch.inf).amin(dim=1)


class Scorer:
    """Gathers the scores of B episodes tick by tick."""

    def __init__(self, worlds: int, dt_s: float) -> None:
        self._dt_s = dt_s
        self._ticks = torch.zeros(worlds, dtype=torch.int64)
        self._distance_m = torch.zeros(worlds, dtype=torch.float64)
        self._min_ttc_s = torch.full((worlds,), torch.inf)
        self._progress_m = torch.zeros(worlds)
        self._collided = torch.zeros(worlds, dtype=torch.bool)
        self._offroad = torch.zeros(worlds, dtype=torch.bool)
        self._offroute = torch.zeros(worlds, dtype=torch.bool)
        self._arrived = torch.zeros(worlds, dtype=torch.bool)
        self._hit_kind = torch.zeros(worlds, dtype=torch.int32)

    def add(self, tick: Tick) -> torch.Tensor:
        """Count one tick of the episodes still running; returns this tick's TTC (B,)."""
        active, outcome = tick.active, tick.outcome
        ttc_s = time_to_collision_s(tick.ego, tick.route, tick.boxes)
        self._ticks += active
        self._distance_m += torch.where(active, tick.ego.speed_mps * self._dt_s, 0.0)
        self._min_ttc_s = torch.where(active, torch.minimum(self._min_ttc_s, ttc_s), self._min_ttc_s)
        self._progress_m = torch.where(active, outcome.progress_m, self._progress_m)
        self._hit_kind = torch.where(active & outcome.collided, outcome.hit_kind, self._hit_kind)
        self._collided |= active & outcome.collided
        self._offroad |= active & outcome.offroad
        self._offroute |= active & outcome.offroute
        self._arrived |= active & outcome.arrived
        return ttc_s

    def scores(
        self, seeds: torch.Tensor, places: tuple[str, ...], weathers: tuple[str, ...], route_m: torch.Tensor
    ) -> list[EpisodeScore]:
        """The finished episodes, one score each."""
        return [self._score(b, int(seeds[b]), places[b], weathers[b], float(route_m[b])) for b in range(len(seeds))]

    def _score(self, b: int, seed: int, place: str, weather: str, route_m: float) -> EpisodeScore:
        collided, offroad, offroute = bool(self._collided[b]), bool(self._offroad[b]), bool(self._offroute[b])
        arrived = bool(self._arrived[b]) and not (collided or offroad or offroute)
        seconds = int(self._ticks[b]) * self._dt_s
        completion = 1.0 if arrived else min(float(self._progress_m[b]) / route_m, 1.0)
        hit = ActorKind(int(self._hit_kind[b])) if collided else None
        factor = 1.0 if hit is None else PEDESTRIAN_FACTOR if hit == ActorKind.PEDESTRIAN else VEHICLE_FACTOR
        if offroad:
            factor *= OFFROAD_FACTOR
        return EpisodeScore(
            seed=seed,
            place=place,
            weather=weather,
            ended=_ended({"collision": collided, "off road": offroad, "off route": offroute, "arrived": arrived}),
            route_completion=completion,
            collision=collided,
            hit_kind=hit.name.lower() if hit is not None else None,
            offroad=offroad,
            seconds=round(seconds, 6),
            distance_m=float(self._distance_m[b]),
            mean_speed_mps=float(self._distance_m[b]) / seconds if seconds > 0 else 0.0,
            min_ttc_s=finite_or_none(float(self._min_ttc_s[b])),
            driving_score=completion * factor,
        )


def _ended(reasons: dict[str, bool]) -> str:
    """The first reason that holds, or that time was up."""
    return next((reason for reason, holds in reasons.items() if holds), "time")
