"""Multi-object tracking over a batch of worlds: which detections belong together, and how fast the objects move.

A constant-velocity Kalman filter per track, in the world-stabilised odometry frame: the ego's pose at the last reset,
moved on by the ego's own speed and yaw rate. A track's covariance is kept in 2 x 2 blocks and every step is written
with plain arithmetic in float64, sines and angles one world at a time: a world's tracks are the same bits alone or in
any batch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from sim.types import ActorKind, Boxes3D, EgoState, Percept


@dataclass(frozen=True)
class TrackerConfig:
    slots: int = 32  # tracks per world
    birth_score: float = 0.3  # weaker detections only continue tracks
    confirm_hits: int = 2  # detections before a track is reported
    max_misses: int = 6  # frames a confirmed track survives unseen; an unconfirmed one survives none
    gate: float = 11.8  # squared Mahalanobis distance, 99.7 % of two degrees of freedom
    tentative_penalty: float = 4.0  # confirmed tracks choose first
    range_noise_m: float = 0.2  # standard deviation along the line of sight ...
    range_noise_share: float = 0.05  # ... plus this share of the distance
    cross_noise_m: float = 0.15
    cross_noise_share: float = 0.01
    vehicle_accel_mps2: float = 2.5  # unmodelled acceleration, standard deviation
    person_accel_mps2: float = 1.0
    vehicle_speed_mps: float = 8.0  # speed of a new track, standard deviation about zero
    person_speed_mps: float = 1.5


@dataclass
class Tracks:
    """State of B x T tracks, float64, odometry frame (xy, velocity, heading) and metres."""

    valid: torch.Tensor  # (B, T) bool
    xy_m: torch.Tensor  # (B, T, 2)
    velocity_mps: torch.Tensor  # (B, T, 2)
    cov_pp: torch.Tensor  # (B, T, 2, 2) position-position
    cov_pv: torch.Tensor  # (B, T, 2, 2) position-velocity
    cov_vv: torch.Tensor  # (B, T, 2, 2)
    heading: torch.Tensor  # (B, T, 2) cosine and sine of the yaw, filtered, not normalised
    z_m: torch.Tensor  # (B, T)
    size_m: torch.Tensor  # (B, T, 3)
    votes: torch.Tensor  # (B, T, kinds) scores collected by each kind
    score: torch.Tensor  # (B, T) filtered
    hits: torch.Tensor  # (B, T) int32
    misses: torch.Tensor  # (B, T) int32
    track_id: torch.Tensor  # (B, T) int32


class Tracker:
    """Tracks of `worlds` worlds at a fixed time step."""

    def __init__(
        self, worlds: int, dt_s: float, config: TrackerConfig | None = None, device: str | torch.device = "cpu"
    ) -> None:
        self.config = config = config or TrackerConfig()
        self.dt_s = dt_s
        self.tracks = _empty_tracks(worlds, config.slots, torch.device(device))
        zeros = torch.zeros(worlds, dtype=torch.float64, device=device)
        self.xy_odom_m, self.yaw_odom_rad = torch.stack((zeros, zeros), dim=-1), zeros.clone()
        self._speed_mps, self._yaw_rate_radps = zeros.clone(), zeros.clone()
        self._started = torch.zeros(worlds, dtype=torch.bool, device=device)
        self._next_id = torch.zeros(worlds, dtype=torch.int32, device=device)

    def reset(self, mask: torch.Tensor) -> None:
        """Forget the worlds where `mask` (B,) is true."""
        self.tracks.valid[mask] = False
        self.xy_odom_m[mask] = 0.0
        self.yaw_odom_rad[mask] = 0.0
        self._started[mask] = False
        self._next_id[mask] = 0

    def __call__(self, detections: Boxes3D, ego: EgoState) -> Percept:
        """Advance by one time step and take in its detections (B, K) in the ego frame; objects are (B, slots)."""
        self._move_ego(ego)
        self._predict()
        xy_m, noise = self._measure(detections)
        matched, detection = self._associate(detections, xy_m, noise)
        self._update(detections, xy_m, noise, matched, detection)
        self._bury(matched)
        self._give_birth(detections, xy_m, noise, matched, detection)
        return Percept(objects=self._objects(), time_s=ego.time_s.clone())

    def _move_ego(self, ego: EgoState) -> None:
        """Odometry with the means of this and the last tick, along the heading half-way."""
        speed_mps, yaw_rate_radps = ego.speed_mps.double(), ego.yaw_rate_radps.double()
        moved = self._started.double() * self.dt_s
        turn_rad = 0.5 * (yaw_rate_radps + self._yaw_rate_radps) * moved
        way_m = 0.5 * (speed_mps + self._speed_mps) * moved
        middle_rad = self.yaw_odom_rad + 0.5 * turn_rad
        direction = torch.stack((_per_world(torch.cos, middle_rad), _per_world(torch.sin, middle_rad)), dim=-1)
        self.xy_odom_m = self.xy_odom_m + way_m[:, None] * direction
        self.yaw_odom_rad = self.yaw_odom_rad + turn_rad
        self._speed_mps, self._yaw_rate_radps = speed_mps.clone(), yaw_rate_radps.clone()
        self._started = torch.ones_like(self._started)

    def _predict(self) -> None:
        """Constant velocity with white acceleration noise (Bar-Shalom et al. 2001, section 6.3.2)."""
        t, dt = self.tracks, self.dt_s
        person = t.votes.argmax(dim=-1) == ActorKind.PEDESTRIAN
        accel = torch.where(person, self.config.person_accel_mps2, self.config.vehicle_accel_mps2).double()
        noise = (accel * accel)[..., None, None] * torch.eye(2, dtype=torch.float64, device=accel.device)
        t.xy_m = t.xy_m + dt * t.velocity_mps
        t.cov_pp = t.cov_pp + dt * (t.cov_pv + t.cov_pv.transpose(-1, -2)) + dt**2 * t.cov_vv + dt**4 / 4.0 * noise
        t.cov_pv = t.cov_pv + dt * t.cov_vv + dt**3 / 2.0 * noise
        t.cov_vv = t.cov_vv + dt**2 * noise

    def _measure(self, detections: Boxes3D) -> tuple[torch.Tensor, torch.Tensor]:
        """Detections as positions (B, K, 2) in the odometry frame and their covariances (B, K, 2, 2)."""
        c = self.config
        xy_ego_m = detections.center_ego_m[..., :2].double()
        offset_m = self._odom_from_ego(xy_ego_m)
        distance_m = torch.sqrt(offset_m[..., 0] ** 2 + offset_m[..., 1] ** 2).clamp(min=1e-3)
        ray = offset_m / distance_m[..., None]
        along = (c.range_noise_m + c.range_noise_share * distance_m) ** 2
        across = (c.cross_noise_m + c.cross_noise_share * distance_m) ** 2
        outer = ray[..., :, None] * ray[..., None, :]
        eye = torch.eye(2, dtype=torch.float64, device=ray.device)
        noise = along[..., None, None] * outer + across[..., None, None] * (eye - outer)
        return offset_m + self.xy_odom_m[:, None], noise

    def _odom_from_ego(self, xy: torch.Tensor) -> torch.Tensor:
        """Rotate vectors (B, K, 2) from ego into odometry axes."""
        cos, sin = _per_world(torch.cos, self.yaw_odom_rad), _per_world(torch.sin, self.yaw_odom_rad)
        return _turn(xy, cos[:, None], sin[:, None])

    def _associate(
        self, detections: Boxes3D, xy_m: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Greedy assignment by gated Mahalanobis distance, people only to people; best pairs first.

        Returns for each track (B, T) whether it is matched and the index of its detection.
        """
        t, c = self.tracks, self.config
        error = xy_m[:, None] - t.xy_m[:, :, None]
        inverse = _inverse(t.cov_pp[:, :, None] + noise[:, None])
        distance = _quadratic(inverse, error)
        person = t.votes.argmax(dim=-1) == ActorKind.PEDESTRIAN
        same_sort = person[:, :, None] == (detections.kind == ActorKind.PEDESTRIAN)[:, None]
        possible = same_sort & t.valid[:, :, None] & detections.valid[:, None] & (distance <= c.gate)
        cost = distance + c.tentative_penalty * (t.hits < c.confirm_hits)[:, :, None]
        return _greedy(torch.where(possible, cost, torch.inf))

    def _update(
        self,
        detections: Boxes3D,
        xy_m: torch.Tensor,
        noise: torch.Tensor,
        matched: torch.Tensor,
        detection: torch.Tensor,
    ) -> None:
        t = self.tracks
        error = _rows(xy_m, detection) - t.xy_m
        inverse = _inverse(t.cov_pp + _rows(noise, detection))
        gain_p, gain_v = _product(t.cov_pp, inverse), _product(t.cov_pv.transpose(-1, -2), inverse)
        m2, m22 = matched[..., None], matched[..., None, None]
        t.xy_m = torch.where(m2, t.xy_m + _apply(gain_p, error), t.xy_m)
        t.velocity_mps = torch.where(m2, t.velocity_mps + _apply(gain_v, error), t.velocity_mps)
        t.cov_vv = torch.where(m22, t.cov_vv - _product(gain_v, t.cov_pv), t.cov_vv)
        t.cov_pv = torch.where(m22, t.cov_pv - _product(gain_p, t.cov_pv), t.cov_pv)
        t.cov_pp = torch.where(m22, t.cov_pp - _product(gain_p, t.cov_pp), t.cov_pp)
        seen = self._seen(detections)
        # Size is constant: its mean converges; heading and height may change: they follow.
        settle = torch.where(matched, (1.0 / (t.hits + 1.0)).clamp(min=0.1), 0.0).double()
        follow = torch.where(matched, 0.35, 0.0).double()
        t.size_m = t.size_m + settle[..., None] * (_rows(seen.size_m, detection) - t.size_m)
        t.heading = t.heading + follow[..., None] * (_rows(seen.heading, detection) - t.heading)
        t.z_m = t.z_m + follow * (_rows(seen.z_m, detection) - t.z_m)
        t.votes = t.votes + matched[..., None] * _rows(seen.votes, detection)
        t.score = t.score + follow * (_rows(seen.score, detection) - t.score)
        t.hits = t.hits + matched.int()
        t.misses = torch.where(matched, 0, t.misses + 1).int()

    def _seen(self, detections: Boxes3D) -> "_Seen":
        """What a detection says besides its position, in odometry axes."""
        yaw_rad = detections.yaw_ego_rad.double()
        heading = torch.stack((_per_world(torch.cos, yaw_rad), _per_world(torch.sin, yaw_rad)), dim=-1)
        kinds = torch.arange(len(ActorKind), device=yaw_rad.device)
        score = detections.score.double()
        return _Seen(
            heading=self._odom_from_ego(heading),
            z_m=detections.center_ego_m[..., 2].double(),
            size_m=detections.size_m.double(),
            votes=score[..., None] * (detections.kind[..., None] == kinds),
            score=score,
        )

    def _bury(self, matched: torch.Tensor) -> None:
        t, c = self.tracks, self.config
        patience = torch.where(t.hits >= c.confirm_hits, c.max_misses, 0)
        t.valid = t.valid & (matched | (t.misses <= patience))

    def _give_birth(
        self,
        detections: Boxes3D,
        xy_m: torch.Tensor,
        noise: torch.Tensor,
        matched: torch.Tensor,
        detection: torch.Tensor,
    ) -> None:
        """The n-th unmatched detection starts in the n-th free slot; those that find none are dropped."""
        t, c = self.tracks, self.config
        slots = torch.arange(detections.kind.shape[1], device=matched.device)
        taken = ((detection[:, :, None] == slots) & matched[:, :, None]).any(dim=1)
        new = detections.valid & ~taken & (detections.score >= c.birth_score)
        new_rank, free_rank = new.int().cumsum(dim=1), (~t.valid).int().cumsum(dim=1)
        pairs = (free_rank[:, :, None] == new_rank[:, None]) & new[:, None] & ~t.valid[:, :, None]
        born, source = pairs.any(dim=2), pairs.int().argmax(dim=2)
        seen = self._seen(detections)
        person = _rows(detections.kind, source) == ActorKind.PEDESTRIAN
        speed = torch.where(person, c.person_speed_mps, c.vehicle_speed_mps).double()
        eye = torch.eye(2, dtype=torch.float64, device=speed.device)
        zeros = torch.zeros_like(t.hits)
        fresh = Tracks(
            valid=born,
            xy_m=_rows(xy_m, source),
            velocity_mps=torch.zeros_like(t.velocity_mps),
            cov_pp=_rows(noise, source),
            cov_pv=torch.zeros_like(t.cov_pv),
            cov_vv=(speed * speed)[..., None, None] * eye,
            heading=_rows(seen.heading, source),
            z_m=_rows(seen.z_m, source),
            size_m=_rows(seen.size_m, source),
            votes=_rows(seen.votes, source),
            score=_rows(seen.score, source),
            hits=zeros + 1,
            misses=zeros,
            track_id=self._next_id[:, None] + born.int().cumsum(dim=1).int() - 1,
        )
        self._next_id = self._next_id + born.int().sum(dim=1).int()
        self.tracks = _choose(born, fresh, t)

    def _objects(self) -> Boxes3D:
        """The confirmed tracks in the ego frame of this tick."""
        t = self.tracks
        cos, sin = _per_world(torch.cos, self.yaw_odom_rad)[:, None], _per_world(torch.sin, self.yaw_odom_rad)[:, None]
        xy_ego_m = _turn(t.xy_m - self.xy_odom_m[:, None], cos, -sin)
        heading = _turn(t.heading, cos, -sin)
        yaw_rad = torch.stack([torch.atan2(row[:, 1], row[:, 0]) for row in heading])
        confirmed = t.valid & (t.hits >= self.config.confirm_hits)
        return Boxes3D(
            center_ego_m=torch.cat((xy_ego_m, t.z_m[..., None]), dim=-1).float(),
            size_m=t.size_m.float(),
            yaw_ego_rad=yaw_rad.float(),
            velocity_ego_mps=_turn(t.velocity_mps, cos, -sin).float(),
            kind=t.votes.argmax(dim=-1).int(),
            score=t.score.float(),
            track_id=t.track_id.clone(),
            valid=confirmed,
        )


@dataclass
class _Seen:
    heading: torch.Tensor  # (B, K, 2)
    z_m: torch.Tensor  # (B, K)
    size_m: torch.Tensor  # (B, K, 3)
    votes: torch.Tensor  # (B, K, kinds)
    score: torch.Tensor  # (B, K)


def _empty_tracks(worlds: int, slots: int, device: torch.device) -> Tracks:
    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(worlds, slots, *shape, dtype=torch.float64, device=device)

    counts = torch.zeros(worlds, slots, dtype=torch.int32, device=device)
    return Tracks(
        valid=torch.zeros(worlds, slots, dtype=torch.bool, device=device),
        xy_m=zeros(2),
        velocity_mps=zeros(2),
        cov_pp=torch.eye(2, dtype=torch.float64, device=device) + zeros(2, 2),
        cov_pv=zeros(2, 2),
        cov_vv=zeros(2, 2),
        heading=zeros(2),
        z_m=zeros(),
        size_m=zeros(3),
        votes=zeros(len(ActorKind)),
        score=zeros(),
        hits=counts,
        misses=counts.clone(),
        track_id=counts.clone(),
    )


def _choose(mask: torch.Tensor, yes: Tracks, no: Tracks) -> Tracks:
    """Row by row `yes` where `mask` (B, T), else `no`; a track is valid where either says so."""
    chosen = {}
    for name, value in vars(yes).items():
        wide = mask.view(*mask.shape, *[1] * (value.ndim - 2))
        chosen[name] = torch.where(wide, value, getattr(no, name))
    return replace(no, **chosen)


def _per_world(function: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor) -> torch.Tensor:
    """`function` of values (B, ...), on the CPU one world at a time.

    torch computes transcendental functions with vector instructions and what is left over at the end with scalar ones,
    which round differently: an element's last bit would depend on its place in the batch.
    """
    if values.is_cuda or len(values) == 1:
        return function(values)
    return torch.stack([function(row) for row in values])


def _turn(xy: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    return torch.stack((cos * xy[..., 0] - sin * xy[..., 1], sin * xy[..., 0] + cos * xy[..., 1]), dim=-1)


def _rows(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Rows (B, T, ...) of values (B, K, ...) at `index` (B, T)."""
    world = torch.arange(len(values), device=values.device)[:, None]
    return values[world, index]


def _product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Matrix product of (..., 2, 2)."""
    return a[..., :, 0:1] * b[..., 0:1, :] + a[..., :, 1:2] * b[..., 1:2, :]


def _apply(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    return matrix[..., :, 0] * vector[..., 0:1] + matrix[..., :, 1] * vector[..., 1:2]


def _inverse(matrix: torch.Tensor) -> torch.Tensor:
    """Inverse of (..., 2, 2)."""
    a, b, c, d = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]
    determinant = a * d - b * c
    return torch.stack((d, -b, -c, a), dim=-1).unflatten(-1, (2, 2)) / determinant[..., None, None]


def _quadratic(matrix: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """vector^T matrix vector, (...)."""
    image = _apply(matrix, vector)
    return vector[..., 0] * image[..., 0] + vector[..., 1] * image[..., 1]


def _greedy(cost: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Take the cheapest finite pair of each world until none is left: matched (B, T) and its column (B, T)."""
    b, rows, columns = cost.shape
    cost = cost.clone()
    matched = torch.zeros(b, rows, dtype=torch.bool, device=cost.device)
    column = torch.zeros(b, rows, dtype=torch.int64, device=cost.device)
    world = torch.arange(b, device=cost.device)
    for _ in range(min(rows, columns)):
        best, index = cost.flatten(1).min(dim=1)
        found = torch.isfinite(best)
        if not bool(found.any()):
            break
        w, i, j = world[found], index[found] // columns, index[found] % columns
        matched[w, i], column[w, i] = True, j
        cost[w, i] = torch.inf
        cost[w, :, j] = torch.inf
    return matched, column
