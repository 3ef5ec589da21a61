"""What is measured of every run of a scenario while it plays: collisions, whose fault, TTC, headway, gap, cut-ins.

Elementwise over runs and without a record of the whole run, so that thousands play at once. Everything is of the ego;
gaps are bumper to bumper along its lane, to others in its corridor and ahead of it (their middle ahead of its own).
A run counts until its storyboard stops or the ego first collides. Arrays are entities x runs, NumPy throughout: a tick
of a small batch costs what its calls cost.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.safety_distances import must_avoid_ttc_s
from pipelines.verdicts.cut_in import INTRUSION_M
from pipelines.verdicts.fault import Contact, collisions
from pipelines.verdicts.lane_runs import LaneRun
from pipelines.verdicts.trace import EGO, Trace
from sim.scenarios.player import Gaps, Player, State

Columns = dict[str, NDArray[Any]]
_MOTION = ("x_m", "y_m", "heading_rad", "speed_mps", "valid")
_CONTACT_MARGIN_M = 0.02  # boxes that the player calls overlapping do so in the verdict's arithmetic too
_STEADY_MPS = 1e-6  # who moves no faster across the lane does not come into it


def nothing(column: NDArray[Any], size: int) -> NDArray[Any]:
    """A column like the given one of runs with nothing to measure."""
    if column.dtype.kind in "UO":
        return np.full(size, "", dtype=object)
    return np.full(size, np.inf) if column.dtype.kind == "f" else np.zeros(size, dtype=column.dtype)


class Scores:
    """The measures of B runs so far."""

    def __init__(self, player: Player, ego: str) -> None:
        self._player = player
        self._ego = player.entities.index(ego)
        size = player.entities.size_m.numpy()
        runs, entities = size.shape[:2]
        others = [entity for entity in range(entities) if entity != self._ego]
        self._ego_first = torch.tensor([self._ego, *others])
        self._length, self._width = size[..., 0].T, size[..., 1].T
        self._half_m = 0.5 * (self._length[self._ego] + self._length)
        self._front_axle_m = np.maximum(0.5 * self._length - 0.9, 0.0)
        reach = np.hypot(self._length, self._width) * 0.5 + np.abs(player.entities.centre_offset_m.numpy().T)
        self._reach_m = reach + reach[self._ego]  # nearer than this boxes may touch
        self._least = {name: np.full(runs, math.inf) for name in ("min_ttc_s", "min_thw_s", "min_gap_m")}
        self._max_decel = np.zeros(runs)
        self._least_speed = np.full(runs, math.inf)
        self._collided = np.zeros(runs, dtype=bool)
        self.over = np.zeros(runs, dtype=bool)  # runs whose time is up; set by the caller
        self._hit: dict[str, NDArray[Any]] = {
            "partner": np.zeros(runs, dtype=np.int64),
            "tick": np.zeros(runs, dtype=np.int64),
            "impact_mps": np.zeros(runs),
            "ego_impact_mps": np.zeros(runs),
            "closing_mps": np.zeros(runs),
            "at_fault": np.zeros(runs, dtype=bool),
            "contact": np.zeros(runs, dtype=np.int64),
        }
        self._before: dict[str, NDArray[Any]] = {}  # motion at the tick before
        self._inside: NDArray[np.bool_] | None = None
        self._may_cut_in = np.ones((entities, runs), dtype=bool)
        self._cut_in_ttc, self._cut_in_margin = np.full(runs, math.inf), np.full(runs, math.inf)
        self._cut_in = np.zeros(runs, dtype=bool)

    @property
    def collided(self) -> NDArray[np.bool_]:
        """(B,) whose run is over for that."""
        return self._collided

    @property
    def collision_tick(self) -> NDArray[np.int64]:
        """(B,) valid where collided."""
        return self._hit["tick"]

    def see(self, gaps: Gaps | None, state: State) -> None:
        """Take in the player's present tick; without roads there are no gaps to measure."""
        active = ~(self._collided | self.over)
        decel = -state.accel_mps2.numpy().T[self._ego]
        np.maximum(self._max_decel, decel, out=self._max_decel, where=active)
        speed = np.abs(state.speed_mps.numpy().T[self._ego])
        np.minimum(self._least_speed, speed, out=self._least_speed, where=active)
        if gaps is not None:
            self._see_gaps(gaps, active)
        self._see_collisions(state, active)

    def columns(self, ended_tick: NDArray[np.int64]) -> Columns:
        """The measures of every run, with its end (B,); infinite where there was nothing to measure."""
        player, collided = self._player, self._collided
        names = np.array(player.entities.names, dtype=object)
        contacts = np.array([contact.name.lower() for contact in Contact], dtype=object)
        return {
            "duration_s": ended_tick * player.dt_s,
            "collision": collided,
            "collision_with": np.where(collided, names[self._hit["partner"]], ""),
            "collision_s": np.where(collided, self._hit["tick"] * player.dt_s, np.inf),
            "impact_mps": self._hit["impact_mps"],
            "ego_impact_mps": self._hit["ego_impact_mps"],
            "closing_mps": self._hit["closing_mps"],
            "least_speed_mps": np.where(np.isfinite(self._least_speed), self._least_speed, 0.0),
            "contact": np.where(collided, contacts[self._hit["contact"]], ""),
            "at_fault": self._hit["at_fault"],
            **self._least,
            "max_decel_mps2": self._max_decel,
            "cut_in": self._cut_in,
            "cut_in_ttc_s": self._cut_in_ttc,
            "cut_in_margin_s": self._cut_in_margin,
        }

    # ---------------------------------------------------------------- parts

    def _see_gaps(self, gaps: Gaps, active: NDArray[np.bool_]) -> None:
        gap, valid = gaps.gap_m.numpy().T, gaps.valid.numpy().T
        own_speed = gaps.ego_speed_mps.numpy()
        closing = own_speed - gaps.speed_mps.numpy().T
        ahead = valid & (gap > -self._half_m)
        lead = ahead & (gaps.lateral_gap_m.numpy().T <= 0)
        closes = closing > 0
        ttc = np.where(closes, np.maximum(gap, 0.0) / np.where(closes, closing, 1.0), math.inf)
        if lead.any():
            least_gap = np.where(lead & active, np.maximum(gap, 0.0), math.inf).min(axis=0)
            moves = own_speed > 0
            headway = np.where(moves, least_gap / np.where(moves, own_speed, 1.0), math.inf)
            self._lower("min_ttc_s", np.where(lead & active, ttc, math.inf).min(axis=0))
            self._lower("min_thw_s", headway)
            self._lower("min_gap_m", least_gap)
        self._see_cut_ins(gaps, ttc, closing, ahead & active)

    def _lower(self, name: str, values: NDArray[np.float64]) -> None:
        np.minimum(self._least[name], values, out=self._least[name])

    def _see_cut_ins(
        self, gaps: Gaps, ttc: NDArray[np.float64], closing: NDArray[np.float64], counted: NDArray[np.bool_]
    ) -> None:
        """Who comes into the ego's lane, front wheel 0.3 m past the marking, and how TTC then compares."""
        across, valid = gaps.lateral_speed_mps.numpy().T, gaps.valid.numpy().T
        if self._inside is not None and not (valid & (np.abs(across) > _STEADY_MPS)).any():
            return
        offset, along = gaps.lateral_offset_m.numpy().T, np.abs(gaps.speed_mps.numpy().T)
        pace = np.sqrt(across * across + along * along)
        moves = pace > 0
        pace = np.where(moves, pace, 1.0)
        sine, cosine = -across / pace, np.where(moves, along / pace, 1.0)
        # As in `front_wheel_past_marking_m`; `across` points to the lane's middle, against the side.
        wheel_m = np.abs(offset) + self._front_axle_m * sine - 0.5 * self._width * cosine
        inside = valid & (0.5 * gaps.lane_width_m.numpy() - wheel_m >= INTRUSION_M)
        if self._inside is None:
            self._may_cut_in = ~inside  # who is there from the beginning does not cut in
        crossing = inside & self._may_cut_in & counted
        self._may_cut_in &= ~inside
        self._inside = inside
        if not crossing.any():
            return
        limit = must_avoid_ttc_s(torch.from_numpy(np.maximum(closing, 0.0))).numpy()
        margin = np.where(crossing, ttc - limit, math.inf)
        who = margin.argmin(axis=0)
        rows = np.arange(len(who))
        better = margin[who, rows] < self._cut_in_margin
        self._cut_in |= crossing.any(axis=0)
        self._cut_in_margin = np.where(better, margin[who, rows], self._cut_in_margin)
        self._cut_in_ttc = np.where(better, ttc[who, rows], self._cut_in_ttc)

    def _see_collisions(self, state: State, active: NDArray[np.bool_]) -> None:
        now = {name: getattr(state, name).numpy().T for name in _MOTION}
        x, y = now["x_m"], now["y_m"]
        near = (x - x[self._ego]) ** 2 + (y - y[self._ego]) ** 2 < self._reach_m**2
        near[self._ego] = False
        if (near & now["valid"] & active).any():
            hits = self._player.collisions(self._player.entities.names[self._ego])
            new = hits.any(dim=1).numpy() & active
            if new.any():
                self._judge(np.flatnonzero(new), hits, now)
                self._collided = self._collided | new
        self._before = {name: values.copy() for name, values in now.items()}

    def _judge(self, rows: NDArray[np.int64], hits: Tensor, now: dict[str, NDArray[Any]]) -> None:
        """File the first collision of some runs: with whom, how hard, whose fault."""
        entities, order = self._player.entities, self._ego_first
        before = self._before or now
        both = {
            name: torch.from_numpy(np.stack((before[name].T[rows], now[name].T[rows]), axis=1))[:, :, order]
            for name in _MOTION
        }
        trace = Trace(
            dt_s=self._player.dt_s,
            xy_world_m=torch.stack((both["x_m"], both["y_m"]), dim=-1),
            yaw_world_rad=both["heading_rad"],
            speed_mps=both["speed_mps"],
            accel_mps2=torch.zeros_like(both["speed_mps"]),
            valid=both["valid"],
            size_m=entities.size_m[rows][:, order] + _CONTACT_MARGIN_M,
            centre_offset_m=entities.centre_offset_m[rows][:, order],
            kind=torch.zeros(len(rows), len(order), dtype=torch.int32),
        )
        found = collisions(trace)
        partner = hits[rows][:, order].to(torch.int8).argmax(dim=1, keepdim=True)
        self._hit["partner"][rows] = order[partner[:, 0]].numpy()
        self._hit["tick"][rows] = self._player.tick
        self._hit["impact_mps"][rows] = _difference_mps(trace, partner)
        self._hit["ego_impact_mps"][rows] = found.ego_speed_mps.gather(1, partner)[:, 0].abs().numpy()
        self._hit["closing_mps"][rows] = found.closing_mps.gather(1, partner)[:, 0].clamp(min=0.0).numpy()
        self._hit["at_fault"][rows] = found.at_fault.gather(1, partner)[:, 0].numpy()
        self._hit["contact"][rows] = found.contact.gather(1, partner)[:, 0].numpy()


def _difference_mps(trace: Trace, partner: Tensor) -> NDArray[np.float64]:
    """Length (R,) of the difference of velocities to the partner (R, 1) a tick before the contact.

    As square root and products, whose bits do not depend on the place in a batch.
    """
    turn = trace.yaw_world_rad[:, 0].gather(1, partner)[:, 0] - trace.yaw_world_rad[:, 0, EGO]
    own, other = trace.speed_mps[:, 0, EGO].numpy(), trace.speed_mps[:, 0].gather(1, partner)[:, 0].numpy()
    return np.sqrt(np.maximum(own * own + other * other - 2 * own * other * np.cos(turn.contiguous().numpy()), 0.0))


def lane_tick(player: Player, ego: int, gaps: Gaps, state: State) -> LaneRun:
    """The player's present tick along the ego's lane, one tick long, entities in the player's order."""
    size = player.entities.size_m
    is_ego = torch.zeros(size.shape[1], dtype=torch.bool)
    is_ego[ego] = True

    def with_ego(others: Tensor, own: Tensor) -> Tensor:
        # Of one layout in memory whatever the batch, since angles' last bits may depend on it.
        return torch.where(is_ego, own[:, None], others).contiguous()[:, None]

    lateral = with_ego(-torch.sign(gaps.lateral_offset_m) * gaps.lateral_speed_mps, gaps.ego_lateral_mps)
    speed = with_ego(gaps.speed_mps, gaps.ego_speed_mps)
    heading = torch.atan2(lateral, speed.abs())
    along = 0.5 * (torch.cos(heading[:, 0]) * size[..., 0] + torch.sin(heading[:, 0]).abs() * size[..., 1])
    ego_s = state.travelled_m[:, ego]
    return LaneRun(
        dt_s=player.dt_s,
        lane_width_m=gaps.lane_width_m,
        s_m=with_ego(ego_s[:, None] + gaps.gap_m + along + along[:, ego : ego + 1], ego_s),
        offset_m=with_ego(gaps.lateral_offset_m, gaps.ego_offset_m),
        heading_rad=heading,
        speed_mps=speed,
        lateral_mps=lateral,
        accel_mps2=with_ego(gaps.accel_mps2, state.accel_mps2[:, ego]),
        size_m=size,
        front_axle_m=(0.5 * size[..., 0] - 0.9).clamp(min=0.0),
        valid=with_ego(gaps.valid, state.valid[:, ego]),
    )
