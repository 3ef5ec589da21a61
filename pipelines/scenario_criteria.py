"""The criteria of a scenario while it plays: the motion is recorded tick by tick, and every run judged at the end."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.verdicts.criteria import Facts, Judgement, judge, off_road
from pipelines.verdicts.trace import Trace
from sim.roads.lanegraph import EDGE_CELL_M
from sim.roads.lanemaps import EdgeMap, edge_map
from sim.roads.network import RoadNetwork
from sim.scenarios.goals import goal_xy_world_m
from sim.scenarios.model import Scenario
from sim.scenarios.player import Player, State
from sim.scenarios.stage import KIND_OF_CATEGORY
from sim.scenarios.values import Draw
from sim.types import ActorKind

_SERIES = ("x_m", "y_m", "z_m", "heading_rad", "speed_mps", "accel_mps2", "valid")


class CriteriaWatch:
    """Records B runs of a scenario that has criteria or is scored."""

    def __init__(self, scenario: Scenario, draw: Draw, network: RoadNetwork | None, player: Player, ego: str) -> None:
        self.scenario, self.draw, self.network, self.player, self.ego = scenario, draw, network, player, ego
        first = player.entities.index(ego)
        self.order = [first, *(e for e in range(len(player.entities.names)) if e != first)]
        self._ticks: list[dict[str, Tensor]] = []

    def see(self, state: State) -> None:
        """One more tick, the first included."""
        self._ticks.append({name: getattr(state, name)[:, self.order].clone() for name in _SERIES})

    def judgements(self, ended_tick: NDArray[np.int64]) -> tuple[Judgement, ...]:
        """All criteria, each run up to its end (B,). Errors as `judge`."""
        trace, names = self.trace(ended_tick), {criterion.name for criterion in self.scenario.criteria}
        facts = Facts()
        if "stay_on_road" in names:
            if self.network is None:
                raise ValueError(f"{self.scenario.file.name}: stay_on_road needs a road")
            facts = Facts(off_road=off_road(trace, _edges(NetworkKey(self.network)), EDGE_CELL_M))
        if names & {"reach_goal", "finish_before_s"}:
            goal = goal_xy_world_m(self.scenario, self.draw, self.network)
            facts = Facts(facts.off_road, None, None if goal is None else torch.from_numpy(goal.copy()))
        return judge(self.scenario.criteria, self.draw, trace, facts)

    def heights_m(self) -> Tensor:
        """Heights (B, T, N) of everybody, as in `trace`."""
        return torch.stack([tick["z_m"] for tick in self._ticks], dim=1)

    def trace(self, ended_tick: NDArray[np.int64]) -> Trace:
        """Everybody's motion, the ego first, each run up to its end (B,)."""
        series = {name: torch.stack([tick[name] for tick in self._ticks], dim=1) for name in _SERIES}
        going = torch.arange(len(self._ticks)) <= torch.from_numpy(ended_tick)[:, None]
        entities, order = self.player.entities, self.order
        kinds = [int(KIND_OF_CATEGORY.get(entities.categories[e], ActorKind.CAR)) for e in order]
        return Trace(
            dt_s=self.player.dt_s,
            xy_world_m=torch.stack((series["x_m"], series["y_m"]), dim=-1),
            yaw_world_rad=series["heading_rad"],
            speed_mps=series["speed_mps"],
            accel_mps2=series["accel_mps2"],
            valid=series["valid"] & going[..., None],
            size_m=entities.size_m[:, order],
            centre_offset_m=entities.centre_offset_m[:, order],
            kind=torch.tensor(kinds, dtype=torch.int32).expand(len(ended_tick), -1),
        )


def criteria_columns(judgements: tuple[Judgement, ...], runs: int) -> dict[str, NDArray[Any]]:
    """What suites tell of each run: whether it passed (none without criteria), what it failed, with value and bound."""
    if not judgements:
        return {name: np.full(runs, text, dtype=object) for name, text in (("criteria", "none"), ("failed", ""))}
    passed = torch.stack([judgement.passed for judgement in judgements]).all(dim=0).numpy()
    failed = ["; ".join(told(j, run) for j in judgements if not bool(j.passed[run])) for run in range(runs)]
    return {
        "criteria": np.where(passed, "passed", "failed").astype(object),
        "failed": np.array(failed, dtype=object),
    }


def told(judgement: Judgement, run: int) -> str:
    """One criterion of a run in words: its name, value and bound."""
    return f"{judgement.name} {float(judgement.value[run]):.4g} ({float(judgement.bound[run]):g})"


class NetworkKey:
    """A network as a key: equal only to itself."""

    def __init__(self, network: RoadNetwork) -> None:
        self.network = network

    def __hash__(self) -> int:
        return id(self.network)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NetworkKey) and other.network is self.network


@lru_cache(maxsize=8)
def _edges(key: NetworkKey) -> EdgeMap:
    return edge_map(key.network, EDGE_CELL_M)
