"""The configuration of every job: one tree, checked once, written resolved into each run folder.

Degrees, km/h and percentages live only here and are converted where they are read.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

RoadKind = Literal["rural", "highway", "town", "crossing", "motorway", "roundabout", "urban", "hills"]
WeatherName = Literal["clear", "fog", "dusk"]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused and instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class RoadConfig(Section):
    """Where to drive: a map file, or a kind of generated road."""

    map: Path | None = Field(default=None, description="OpenDRIVE file; overrides kind")
    kind: Literal[RoadKind, "any"] = Field(default="town", description="kind of generated road; any mixes them by seed")
    pool: int = Field(
        default=32, ge=1, le=4096, description="how many different roads training and evaluation draw from"
    )


class SimConfig(Section):
    """Worlds, traffic and time."""

    worlds: int = Field(default=1, ge=1, le=65536)
    actors: int = Field(default=20, ge=1, le=256, description="ego, vehicles and people of one world")
    pedestrians: int = Field(default=4, ge=0, le=128, description="how many of the actors are people")
    cyclists: int = Field(default=0, ge=0, le=128, description="how many of the vehicles are bicycles")
    motorcycles: int = Field(default=0, ge=0, le=128, description="how many of the vehicles are motorcycles")
    parked: int = Field(default=0, ge=0, le=128, description="how many of the vehicles stand in parking spaces")
    dt_s: float = Field(default=0.1, gt=0.0, le=0.5)
    seconds: float = Field(default=20.0, gt=0.0, le=3600.0, description="length of an episode")
    route_m: float = Field(default=250.0, ge=20.0, le=20000.0, description="length of the ego's route")
    dynamics: Literal["kinematic", "dynamic"] = Field(
        default="kinematic", description="bicycle model of controlled vehicles; dynamic has tyres that slip"
    )
    road_friction: float = Field(
        default=0.95, ge=0.05, le=1.5, description="of tyres on the road: dry 0.95, wet 0.6, snow 0.3; dynamic only"
    )
    accel_lag_s: float = Field(default=0.0, ge=0.0, le=5.0, description="time constant of drive and brakes")
    steer_lag_s: float = Field(default=0.0, ge=0.0, le=5.0, description="time constant of the steering")
    max_jerk_mps3: float = Field(default=1000.0, gt=0.0, le=1000.0, description="how fast drive and brakes may change")


class CameraConfig(Section):
    """The front camera."""

    width_px: int = Field(default=320, ge=16, le=4096)
    height_px: int = Field(default=192, ge=16, le=4096)
    fov_deg: float = Field(default=90.0, gt=10.0, lt=150.0, description="horizontal field of view")
    x_ego_m: float = 1.6
    z_ego_m: float = 1.5
    pitch_deg: float = Field(default=4.0, ge=-45.0, le=45.0, description="nose down positive")
    supersample: int = Field(default=2, ge=1, le=4, description="colour samples per pixel and axis")


def _listed(value: Any) -> Any:
    """One path may stand for a list of one."""
    return (value,) if isinstance(value, str | Path) else value


class DetectorTraining(Section):
    """roadloop train detector."""

    data: Annotated[tuple[Path, ...], BeforeValidator(_listed)] = Field(
        default=(), description="folders made by roadloop render, or one; rendered first where none is given"
    )
    scenes: int = Field(default=4000, ge=8, description="frames to render where no data is given")
    epochs: int = Field(default=12, ge=1)
    batch: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1.5e-3, gt=0.0)
    weight_decay: float = Field(default=0.02, ge=0.0)


class AgentTraining(Section):
    """roadloop train agent."""

    steps: int = Field(default=3_000_000, ge=1024)
    worlds: int = Field(default=256, ge=1)
    learning_rate: float = Field(default=5e-4, gt=0.0)
    rollout: int = Field(default=64, ge=8, description="steps per world between updates")
    minibatch: int = Field(default=4096, ge=64)
    epochs: int = Field(default=4, ge=1)
    gamma: float = Field(default=0.98, gt=0.0, le=1.0)


class GanTraining(Section):
    """roadloop train gan."""

    steps: int = Field(default=1400, ge=1)
    batch: int = Field(
        default=16, ge=2, description="tiles per step, shared between the workers; half as many skies every other step"
    )
    learning_rate: float = Field(default=8e-4, gt=0.0)
    examples: int = Field(default=384, ge=1, description="pictures drawn per class to learn from")
    checkpoint_every: int = Field(default=100, ge=1, description="steps")


class TrainConfig(Section):
    detector: DetectorTraining = DetectorTraining()
    agent: AgentTraining = AgentTraining()
    gan: GanTraining = GanTraining()


class DriveConfig(Section):
    """roadloop drive: who drives, on what it sees, and how the video looks."""

    agent: str = Field(default="ppo", description="ppo, classical, random or a weights file")
    perception: str = Field(default="detector", description="detector, oracle or a weights file")
    video_width_px: int = Field(default=640, ge=160, le=1920, description="width at which the video camera is rendered")


class RenderConfig(Section):
    """roadloop render."""

    scenes: int = Field(default=64, ge=1, le=10_000_000)
    batch: int = Field(
        default=8, ge=1, le=1024, description="scenes rendered together; results do not depend on the workers"
    )
    settle_s: float = Field(
        default=4.0, ge=0.0, le=120.0, description="traffic runs for this long before the frame is taken"
    )


class EvaluateConfig(Section):
    """roadloop evaluate: held-out worlds; their seeds lie beyond every training seed."""

    first_seed: int = Field(
        default=1_000_000, ge=1_000_000, lt=2**31, description="training uses seeds below one million"
    )
    episodes: int = Field(default=100, ge=1, le=1_000_000)
    batch: int = Field(
        default=10, ge=1, le=1024, description="episodes driven together; results do not depend on the workers"
    )
    agents: tuple[str, ...] = Field(
        default=("ppo", "classical", "random"), min_length=1, description="rows of the table"
    )
    perceptions: tuple[str, ...] = Field(
        default=("oracle",), min_length=1, description="oracle, detector or weights files"
    )
    detector: str = Field(default="detector", description="weights that evaluate detector scores")


class Experiment(Section):
    """The whole tree."""

    seed: int = Field(default=0, ge=0, lt=2**31, description="the first seed; worlds of a job count up from it")
    workers: int = Field(
        default=0, ge=0, le=1024, description="Ray workers; 0 runs everything in this process without Ray"
    )
    weather: Literal[WeatherName, "any"] = "clear"
    appearance: Literal["procedural", "gan", "any"] = "procedural"
    road: RoadConfig = RoadConfig()
    sim: SimConfig = SimConfig()
    camera: CameraConfig = CameraConfig()
    train: TrainConfig = TrainConfig()
    drive: DriveConfig = DriveConfig()
    render: RenderConfig = RenderConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
