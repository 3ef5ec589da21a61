"""Figures of a driver with perfect perception: one episode for each seed, and what became of it."""

import torch

from agents.contract import Agent
from agents.episodes import Episodes
from configs.schema import SimConfig
from sim.types import LaneGraph

FIGURES = ("completion", "collided", "offroad", "offroute", "stuck", "success", "truncated")


def evaluate_driver(
    agent: Agent, lanes: LaneGraph, sim: SimConfig, seeds: torch.Tensor, device: str | torch.device = "cpu"
) -> dict[str, torch.Tensor]:
    """Drive the episodes of `seeds` (B,) side by side to their ends; `agent` must be made for B worlds.

    Returns (B,) float32 columns: those of `FIGURES` (0 or 1, completion in [0, 1]), seconds, speed_mps (mean), other
    (the kind of actor hit, or -1).
    """
    episodes = Episodes(lanes, sim, seeds, device)
    worlds = len(seeds)
    running = torch.ones(worlds, dtype=torch.bool, device=episodes.device)
    table = {name: torch.zeros(worlds, device=episodes.device) for name in (*FIGURES, "seconds", "speed_mps")}
    table["other"] = torch.full((worlds,), -1.0, device=episodes.device)
    agent.reset(running, seeds.to(episodes.device))
    while bool(running.any()):
        outcome = episodes.step(agent.act(episodes.percept, episodes.route, episodes.ego))
        ending = running & outcome.done
        for name in FIGURES:
            table[name] = torch.where(ending, getattr(outcome, name).float(), table[name])
        state = episodes.simulator.state
        kind = episodes.simulator.world.kind.gather(1, state.collided_with[:, :1].long().clamp(min=0))[:, 0]
        table["other"] = torch.where(ending & outcome.collided, kind.float(), table["other"])
        table["seconds"] += running * sim.dt_s
        table["speed_mps"] += running * state.speed_mps[:, 0] * sim.dt_s
        running &= ~ending
    table["speed_mps"] /= table["seconds"]
    return table


def means(table: dict[str, torch.Tensor]) -> dict[str, float]:
    """The mean of every column but the kind of actor hit."""
    return {name: float(column.mean()) for name, column in table.items() if name != "other"}
