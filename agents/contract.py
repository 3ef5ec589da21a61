"""The contract of everything that drives, in one file.

An agent sees what a car may know: a `Percept` (what perception believes, or the oracle's truth in the same type), the
`Route` ahead and its own odometry. It answers with the ego's `Action` (B, 1). It may keep memory per world; `reset`
clears it. `agents/classical.py` is the example to copy.

    agent = make_agent("classical", worlds)
    agent.reset(torch.ones(worlds, dtype=torch.bool), simulator.world.seed)
    while driving:
        ego_action = agent.act(percept, simulator.route(), simulator.ego_state())
        fill_action(action, ego_action)      # action: all actors' commands, (B, N)
        simulator.step(action)

A driver is a function of its own world only: the same episode alone or among 4096 gives the same bits on the CPU.
"""

from pathlib import Path
from typing import Protocol

import torch

from sim.types import Action, EgoState, Percept, Route

EGO = 0  # the ego's actor index in every world


class Agent(Protocol):
    """Who drives the ego of B worlds."""

    def reset(self, mask: torch.Tensor, seed: torch.Tensor) -> None:
        """Forget the worlds of `mask` (B,) bool, where new episodes with seeds (B,) int64 begin."""
        ...

    def act(self, percept: Percept, route: Route, ego: EgoState) -> Action:
        """The ego's commands (B, 1) for the coming tick."""
        ...


def empty_action(worlds: int, actors: int, device: str | torch.device = "cpu") -> Action:
    """An `Action` (B, N) in which nobody is commanded."""
    shape = (worlds, actors)
    return Action(
        accel_mps2=torch.zeros(shape, device=device),
        steer_rad=torch.zeros(shape, device=device),
        valid=torch.zeros(shape, dtype=torch.bool, device=device),
    )


def fill_action(action: Action, ego: Action) -> None:
    """Write the ego's commands (B, 1) into the simulator's `action` (B, N), in place."""
    action.accel_mps2[:, EGO] = ego.accel_mps2[:, 0]
    action.steer_rad[:, EGO] = ego.steer_rad[:, 0]
    action.valid[:, EGO] = ego.valid[:, 0]


def make_agent(name: str, worlds: int, device: str | torch.device = "cpu") -> Agent:
    """The agent called `name`: classical, random, ppo (the shipped weights) or the path of a .safetensors file.

    Raises:
        ValueError: no such agent, or a file that holds none.
        OSError: the file cannot be read.
    """
    # Imported here so that looking at the contract does not load every driver.
    from agents.classical import ClassicalAgent
    from agents.ppo import SHIPPED_WEIGHTS, PpoAgent
    from agents.random_agent import RandomAgent

    if name == "classical":
        return ClassicalAgent()
    if name == "random":
        return RandomAgent(worlds, device)
    if name == "ppo":
        return PpoAgent.load(SHIPPED_WEIGHTS, worlds, device)
    if name.endswith(".safetensors") or Path(name).exists():
        return PpoAgent.load(Path(name), worlds, device)
    raise ValueError(f"agent: {name!r} is neither classical, random, ppo nor the path of a .safetensors file")
