"""The learning problem, batched: unit actions in, observations and rewards out, new episodes where old ones end.

An action row in [-1, 1]^2 is a plan, not a control: [0] asks for acceleration (+1 is +2.5, -1 is -6 m/s^2), [1] moves
the point that pure pursuit tracks up to 1 m left (+) or right (-) of the lane's centre. `vector.py` (Gymnasium) and
`sb3.py` are thin adaptors of this class.
"""

from dataclasses import dataclass, replace

import torch

from agents.episodes import Episodes, Outcome
from agents.keyed import seed_from_key
from agents.observation import Observer
from agents.reward import reward
from configs.schema import SimConfig
from planning.control import track
from planning.plan import plan_from_unit
from sim.types import LaneGraph

SEED_STREAM = 11
TRAINING_SEEDS = 1_000_000  # seeds from here on are kept for evaluation


@dataclass
class Transition:
    """What one tick gave (B worlds). All tensors are the caller's to keep."""

    observation: torch.Tensor  # (B, D) of the new episode where one ended
    reward: torch.Tensor  # (B,)
    outcome: Outcome
    final_observation: torch.Tensor  # (n, D) the last one of each episode that ended, in order of world
    episode_return: torch.Tensor  # (n,)
    episode_ticks: torch.Tensor  # (n,) int64
    finished: torch.Tensor  # (n,) int64 the worlds whose episodes ended


class DrivingWorlds:
    """B driving episodes that start anew by themselves.

    World i's first episode has the seed it was given; its k-th one a seed below `TRAINING_SEEDS`, keyed by that seed
    and k. So an episode does not depend on how many others run beside it.
    """

    def __init__(
        self,
        lanes: LaneGraph,
        config: SimConfig,
        seeds: torch.Tensor,
        device: str | torch.device = "cpu",
        autoreset: bool = True,
    ) -> None:
        """`autoreset=False` leaves ended episodes to the caller, who calls `reset`."""
        self.worlds = len(seeds)
        self._autoreset = autoreset
        self.device = torch.device(device)
        self._base_seed = seeds.to(self.device, torch.int64)
        self._episode = torch.zeros_like(self._base_seed)
        self.episodes = Episodes(lanes, config, self.seeds, device)
        self._observer = Observer(self.worlds, device)
        self._return = torch.zeros(self.worlds, device=self.device)
        self._observation, self._lead = self._observe()

    @property
    def seeds(self) -> torch.Tensor:
        """The seeds (B,) of the episodes that run now."""
        later = seed_from_key(self._base_seed, self._episode, SEED_STREAM) % TRAINING_SEEDS
        return torch.where(self._episode == 0, self._base_seed, later)

    def first_observation(self) -> torch.Tensor:
        """Observations (B, D) of the worlds as they stand now."""
        return self._observation.clone()

    def reset(self, seeds: torch.Tensor | None = None) -> torch.Tensor:
        """Start all worlds anew, with `seeds` (B,) or each with its next seed; observations (B, D)."""
        if seeds is None:
            self._episode += 1
        else:
            self._base_seed = seeds.to(self.device, torch.int64)
            self._episode.zero_()
        everyone = torch.ones(self.worlds, dtype=torch.bool, device=self.device)
        self._begin(everyone)
        return self._observation.clone()

    def step(self, unit: torch.Tensor) -> Transition:
        """Act (B, 2), advance one tick, begin anew where an episode ended."""
        self._observer.remember(unit)
        episodes = self.episodes
        outcome = episodes.step(track(plan_from_unit(unit), self._observer.points, episodes.ego))
        self._observation, self._lead = self._observe()
        earned = reward(outcome, self._lead, episodes.route, episodes.ego)
        self._return += earned
        done = outcome.done
        finished = done.nonzero()[:, 0]
        transition = Transition(
            observation=self._observation,
            reward=earned,
            outcome=outcome,
            final_observation=self._observation[finished],
            episode_return=self._return[finished],
            episode_ticks=episodes.simulator.state.tick[finished],
            finished=finished,
        )
        if self._autoreset and len(finished):
            self._episode += done
            self._begin(done)
        return replace(transition, observation=self._observation.clone())

    def _begin(self, mask: torch.Tensor) -> None:
        self.episodes.begin(mask, self.seeds)
        self._observer.reset(mask)
        self._return.masked_fill_(mask, 0.0)
        self._observation, self._lead = self._observe(mask)

    def _observe(self, mask: torch.Tensor | None = None) -> tuple:
        episodes = self.episodes
        return self._observer(episodes.percept, episodes.route, episodes.ego, mask)
