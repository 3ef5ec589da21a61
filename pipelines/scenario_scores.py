"""What is measured of every run of a scenario while it plays: collisions, whose fault, TTC, headway, gap, cut-ins.

Elementwise over runs and without a record of the whole run, so that thousands play at once. Everything is of the ego;
gaps are bumper to bumper along its lane, to others in its corridor and ahead of it (their middle ahead of its own).
A run counts until its storyboard stops or the ego first collides.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.safety_distances import must_avoid_ttc_s
from pipelines.verdicts.criticality import thw_s, ttc_s
from pipelines.verdicts.cut_in import INTRUSION_M
from pipelines.verdicts.fault import Contact, collisions
from pipelines.verdicts.lane_runs import LaneRun, front_wheel_past_marking_m
from pipelines.verdicts.trace import EGO, Trace
from sim.scenarios.player import Gaps, Player, State

Columns = dict[str, NDArray[Any]]
_MOTION = ("x_m", "y_m", "heading_rad", "speed_mps", "valid")
_CONTACT_MARGIN_M = 0.02  # boxes that the player calls overlapping do so in the verdict's arithmetic too


class Scores:
    """The measures of B runs so far."""

    def __init__(self, player: Player, ego: str) -> None:
        self._player = player
        self._ego = player.entities.index(ego)
        runs, entities = player.entities.size_m.shape[:2]
        others = [entity for entity in range(entities) if entity != self._ego]
        self._ego_first = torch.tensor([self._ego, *others])
        self._half_m = 0.5 * (player.entities.size_m[:, self._ego, :1] + player.entities.size_m[:, :, 0])
        nothing = torch.full((runs,), math.inf, dtype=torch.float64)
        self._least = {name: nothing.clone() for name in ("min_ttc_s", "min_thw_s", "min_gap_m")}
        self._max_decel = torch.zeros(runs, dtype=torch.float64)
        self.collided = torch.zeros(runs, dtype=torch.bool)
        self._hit: dict[str, Tensor] = {
            "partner": torch.zeros(runs, dtype=torch.int64),
            "tick": torch.zeros(runs, dtype=torch.int64),
            "impact_mps": torch.zeros(runs, dtype=torch.float64),
            "at_fault": torch.zeros(runs, dtype=torch.bool),
            "contact": torch.zeros(runs, dtype=torch.int32),
        }
        self._was_inside: Tensor | None = None
        self._may_cut_in = torch.ones(runs, entities, dtype=torch.bool)
        self._cut_in_ttc, self._cut_in_margin = nothing.clone(), nothing.clone()
        self._cut_in = torch.zeros(runs, dtype=torch.bool)
        self._before: dict[str, Tensor] = {}  # motion at the tick before

    def see(self, gaps: Gaps, state: State) -> None:
        """Take in the player's present tick."""
        active = ~self.collided
        ahead = gaps.valid & (gaps.gap_m > -self._half_m)
        lead = ahead & (gaps.lateral_gap_m <= 0)
        closing = gaps.ego_speed_mps[:, None] - gaps.speed_mps
        worst = {
            "min_ttc_s": ttc_s(gaps.gap_m, closing),
            "min_thw_s": thw_s(gaps.gap_m, gaps.ego_speed_mps[:, None].expand_as(closing)),
            "min_gap_m": gaps.gap_m.clamp(min=0.0),
        }
        for name, values in worst.items():
            least = torch.where(lead, values, math.inf).amin(dim=1)
            self._least[name] = torch.where(active, torch.minimum(self._least[name], least), self._least[name])
        decel = -state.accel_mps2[:, self._ego]
        self._max_decel = torch.where(active, torch.maximum(self._max_decel, decel), self._max_decel)
        self._see_cut_ins(gaps, state, closing, ahead, active)
        self._see_collisions(state, active)

    def columns(self, ended_tick: Tensor) -> Columns:
        """The measures of every run, with its end (B,); infinite where there was nothing to measure."""
        player = self._player
        names = np.array(player.entities.names, dtype=object)
        collided = self.collided.numpy()
        contacts = np.array([contact.name.lower() for contact in Contact], dtype=object)
        return {
            "duration_s": ended_tick.numpy() * player.dt_s,
            "collision": collided,
            "collision_with": np.where(collided, names[self._hit["partner"].numpy()], ""),
            "collision_s": np.where(collided, self._hit["tick"].numpy() * player.dt_s, np.inf),
            "impact_mps": self._hit["impact_mps"].numpy(),
            "contact": np.where(collided, contacts[self._hit["contact"].numpy()], ""),
            "at_fault": self._hit["at_fault"].numpy(),
            **{name: values.numpy() for name, values in self._least.items()},
            "max_decel_mps2": self._max_decel.numpy(),
            "cut_in": self._cut_in.numpy(),
            "cut_in_ttc_s": self._cut_in_ttc.numpy(),
            "cut_in_margin_s": self._cut_in_margin.numpy(),
        }

    @property
    def collision_tick(self) -> Tensor:
        """(B,) valid where collided."""
        return self._hit["tick"]

    # ---------------------------------------------------------------- parts

    def _see_cut_ins(self, gaps: Gaps, state: State, closing: Tensor, ahead: Tensor, active: Tensor) -> None:
        """Who comes into the ego's lane, front wheel 0.3 m past the marking, and how the TTC then compares."""
        past_m = front_wheel_past_marking_m(lane_tick(self._player, self._ego, gaps, state))[:, 0]
        inside = (past_m >= INTRUSION_M) & gaps.valid
        if self._was_inside is None:
            self._may_cut_in = ~inside  # who is there from the beginning does not cut in
            self._was_inside = inside
        crossing = inside & ~self._was_inside & self._may_cut_in & ahead & active[:, None]
        self._may_cut_in = self._may_cut_in & ~inside
        self._was_inside = inside
        ttc = ttc_s(gaps.gap_m, closing)
        margin = torch.where(crossing, ttc - must_avoid_ttc_s(closing.clamp(min=0.0)), math.inf)
        least, who = margin.min(dim=1)
        better = least < self._cut_in_margin
        self._cut_in = self._cut_in | crossing.any(dim=1)
        self._cut_in_margin = torch.where(better, least, self._cut_in_margin)
        self._cut_in_ttc = torch.where(better, ttc.gather(1, who[:, None])[:, 0], self._cut_in_ttc)

    def _see_collisions(self, state: State, active: Tensor) -> None:
        hits = self._player.collisions(self._player.entities.names[self._ego])
        new = hits.any(dim=1) & active
        now = {name: getattr(state, name).clone() for name in _MOTION}
        if bool(new.any()):
            self._judge(new.nonzero()[:, 0], hits, self._before or now, now)
            self.collided = self.collided | new
        self._before = now

    def _judge(self, rows: Tensor, hits: Tensor, before: dict[str, Tensor], now: dict[str, Tensor]) -> None:
        """File the first collision of some runs: with whom, how hard, whose fault."""
        entities, order = self._player.entities, self._ego_first
        both = {name: torch.stack((before[name][rows], now[name][rows]), dim=1)[:, :, order] for name in now}
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
        self._hit["partner"][rows] = order[partner[:, 0]]
        self._hit["tick"][rows] = self._player.tick
        self._hit["impact_mps"][rows] = _difference_mps(trace, partner)
        self._hit["at_fault"][rows] = found.at_fault.gather(1, partner)[:, 0]
        self._hit["contact"][rows] = found.contact.gather(1, partner)[:, 0]


def _difference_mps(trace: Trace, partner: Tensor) -> Tensor:
    """Length (R,) of the difference of velocities to the partner (R, 1) a tick before the contact.

    As square root and products, whose bits do not depend on the place in a batch.
    """
    turn = trace.yaw_world_rad[:, 0].gather(1, partner)[:, 0] - trace.yaw_world_rad[:, 0, EGO]
    own, other = trace.speed_mps[:, 0, EGO], trace.speed_mps[:, 0].gather(1, partner)[:, 0]
    cosine = torch.from_numpy(np.cos(turn.contiguous().numpy()))
    return (own * own + other * other - 2 * own * other * cosine).clamp(min=0.0).sqrt()


def lane_tick(player: Player, ego: int, gaps: Gaps, state: State) -> LaneRun:
    """The player's present tick along the ego's lane, one tick long, entities in the player's order."""
    size = player.entities.size_m
    is_ego = torch.zeros(size.shape[1], dtype=torch.bool)
    is_ego[ego] = True

    def with_ego(others: Tensor, own: Tensor) -> Tensor:
        return torch.where(is_ego, own[:, None], others)[:, None]

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
