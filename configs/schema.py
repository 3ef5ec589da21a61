"""The configuration of every job: one tree, checked once, written resolved into each run folder.

Degrees, km/h and percentages live only here and are converted where they are read.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

RoadKind = Literal["rural", "highway", "town", "crossing", "motorway", "roundabout", "urban", "hills"]
DatasetFormat = Literal["coco", "kitti", "nuscenes", "webdataset"]
LabelName = Literal["normals", "flow", "keypoints", "lanes", "panoptic", "signs"]
WeatherName = Literal[
    "clear", "fog", "dusk", "cloudy", "overcast", "dawn", "low_sun", "night",
    "rain", "heavy_rain", "night_rain", "wet", "snow",
]  # fmt: skip
RigName = Literal["front", "nuscenes", "waymo", "kitti"]
SensorName = Literal["ideal", "dashcam", "phone", "industrial"]
LidarName = Literal["hdl64", "hdl32", "waymo", "ouster128"]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused and instances do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class RoadConfig(Section):
    """Where to drive: a map file, or a kind of generated road."""

    map: Path | None = Field(default=None, description="OpenDRIVE file; overrides kind")
    kind: Literal[RoadKind, "any", "all"] = Field(
        default="town", description="kind of generated road; any mixes rural, highway and town by seed, all every kind"
    )
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
    trucks: float = Field(default=0.08, ge=0.0, le=0.5, description="share of the other vehicles that are trucks")
    buses: float = Field(default=0.03, ge=0.0, le=0.5, description="share of them that are buses")
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


class LensConfig(Section):
    """How a lens bends the pinhole's picture, in OpenCV's models and order of coefficients."""

    model: Literal["pinhole", "brown_conrady", "fisheye"] = "pinhole"
    k: tuple[float, ...] = Field(
        default=(), max_length=5, description="brown_conrady: k1, k2, p1, p2, k3; fisheye (Kannala-Brandt): k1 to k4"
    )

    @model_validator(mode="after")
    def _fits(self) -> "LensConfig":
        most = {"pinhole": 0, "brown_conrady": 5, "fisheye": 4}[self.model]
        if len(self.k) > most:
            raise ValueError(f"{self.model} takes at most {most} coefficients, not {len(self.k)}")
        return self


class CameraConfig(Section):
    """The front camera; its size is that of all cameras of a rig."""

    width_px: int = Field(default=320, ge=16, le=4096)
    height_px: int = Field(default=192, ge=16, le=4096)
    fov_deg: float = Field(default=90.0, gt=10.0, lt=200.0, description="horizontal field of view; a pinhole's < 150")
    x_ego_m: float = 1.6
    z_ego_m: float = 1.5
    pitch_deg: float = Field(default=4.0, ge=-45.0, le=45.0, description="nose down positive")
    supersample: int = Field(default=2, ge=1, le=4, description="colour samples per pixel and axis")
    lens: LensConfig = LensConfig()


class MountConfig(Section):
    """One camera of a rig of one's own. The origin lies on the ground under the rear axle; x forward, y left, z up."""

    x_ego_m: float = 1.6
    y_ego_m: float = 0.0
    z_ego_m: float = 1.5
    yaw_deg: float = Field(default=0.0, ge=-360.0, le=360.0, description="counter-clockwise, 0 looks ahead")
    pitch_deg: float = Field(default=0.0, ge=-90.0, le=90.0, description="nose down positive")
    roll_deg: float = Field(default=0.0, ge=-180.0, le=180.0, description="right side down positive")
    fov_deg: float = Field(default=70.0, gt=10.0, lt=200.0, description="horizontal field of view")
    lens: LensConfig | None = Field(default=None, description="the front camera's where not given")


class WeatherConfig(Section):
    """Weather in numbers; what is not given is drawn by each world's seed as for the weather named by `like`."""

    like: WeatherName = "clear"
    at_s: float = Field(default=0.0, ge=0.0, description="when it is so, where weather is a list: linear between")
    day_of_year: float | None = Field(default=None, ge=1.0, le=366.0)
    time_h: float | None = Field(default=None, ge=0.0, le=24.0, description="mean local time")
    latitude_deg: float | None = Field(default=None, ge=-66.0, le=66.0)
    north_deg: float | None = Field(default=None, description="compass course of the map's y axis")
    sun_azimuth_deg: float | None = Field(default=None, description="counter-clockwise from the map's x axis")
    sun_elevation_deg: float | None = Field(default=None, ge=-90.0, le=90.0)
    turbidity: float | None = Field(default=None, ge=1.5, le=10.0, description="haze: 2 very clear, 4 hazy")
    cloud: float | None = Field(default=None, ge=0.0, le=1.0, description="cover")
    visibility_m: float | None = Field(default=None, ge=5.0, le=1.0e5, description="in haze and fog, without rain")
    rain_mmph: float | None = Field(default=None, ge=0.0, le=200.0)
    snowfall_mmph: float | None = Field(default=None, ge=0.0, le=20.0, description="as melted water")
    wet: float | None = Field(default=None, ge=0.0, le=1.0, description="of the road: 1 where water stands on it")
    snow: float | None = Field(default=None, ge=0.0, le=1.0, description="cover of everything that faces up")
    town: float | None = Field(default=None, ge=0.0, le=1.0, description="lamps around that the night sky mirrors")
    exposure_ev: float | None = Field(default=None, ge=-4.0, le=4.0, description="stops over the automatic exposure")


def _weather_form(value: Any) -> str:
    """Which form of weather was given; forms have names with spaces, which keys have not."""
    if isinstance(value, list | tuple):
        return "the keyframes"
    return "the numbers" if isinstance(value, dict | WeatherConfig) else "the name"


WeatherSetting = Annotated[
    Annotated[WeatherName | Literal["any"], Tag("the name")]
    | Annotated[WeatherConfig, Tag("the numbers")]
    | Annotated[Annotated[tuple[WeatherConfig, ...], Field(min_length=1)], Tag("the keyframes")],
    Discriminator(_weather_form),
]


class SensorConfig(Section):
    """What a camera's optics and electronics do to the picture, never to labels; not given: as `like` has it."""

    like: SensorName = "ideal"
    exposure_ev: float | None = Field(default=None, ge=-4.0, le=4.0)
    auto_exposure: float | None = Field(default=None, ge=0.0, le=1.0, description="how far the frame's mean is evened")
    white_balance: float | None = Field(default=None, ge=0.0, le=1.0, description="how far the mean is made grey")
    motion_blur_s: float | None = Field(default=None, ge=0.0, le=0.1, description="exposure time")
    rolling_shutter_s: float | None = Field(
        default=None,
        ge=0.0,
        le=0.1,
        description="from the first row to the last; labels are of the middle one's time",
    )
    vignetting: float | None = Field(default=None, ge=0.0, le=1.0, description="light lost in the corners")
    glare: float | None = Field(default=None, ge=0.0, le=1.0, description="light scattered around what is bright")
    chromatic_px: float | None = Field(default=None, ge=0.0, le=4.0, description="colour fringes in the corners")
    softness: float | None = Field(
        default=None, ge=0.0, le=1.0, description="weight of neighbours: lens and demosaicing"
    )
    sharpening: float | None = Field(default=None, ge=0.0, le=2.0)
    saturation: float | None = Field(default=None, ge=0.0, le=2.0)
    shot_noise: float | None = Field(default=None, ge=0.0, le=0.2, description="deviation at white, of full scale")
    read_noise: float | None = Field(default=None, ge=0.0, le=0.2, description="deviation at black, of full scale")
    dirt: float | None = Field(default=None, ge=0.0, le=1.0, description="specks and smears on the windscreen")
    drops: float | None = Field(default=None, ge=0.0, le=1.0, description="rain drops on the lens where it rains")
    jpeg_quality: int | None = Field(default=None, ge=0, le=100, description="0: no JPEG")


def _sensor_form(value: Any) -> str:
    return "the numbers" if isinstance(value, dict | SensorConfig) else "the name"


SensorSetting = Annotated[
    Annotated[SensorName, Tag("the name")] | Annotated[SensorConfig, Tag("the numbers")], Discriminator(_sensor_form)
]


class LidarConfig(Section):
    """A lidar; what is not given is as `like` has it. It spins once a tick."""

    like: LidarName = "hdl64"
    azimuths: int | None = Field(default=None, ge=16, le=8192, description="columns of a spin")
    range_m: float | None = Field(default=None, ge=5.0, le=300.0)
    x_ego_m: float | None = None
    y_ego_m: float | None = None
    z_ego_m: float | None = None
    rolling: bool = Field(default=False, description="columns are shot one after another during the tick before")
    compensated: bool = Field(default=True, description="points of a rolling scan are corrected for the ego's motion")
    noise_m: float | None = Field(default=None, ge=0.0, le=1.0, description="standard deviation of ranges")


def _lidar_form(value: Any) -> str:
    return "the numbers" if isinstance(value, dict | LidarConfig) else "the name"


LidarSetting = Annotated[
    Annotated[LidarName, Tag("the name")] | Annotated[LidarConfig, Tag("the numbers")], Discriminator(_lidar_form)
]


class RadarConfig(Section):
    """A radar that looks ahead."""

    x_ego_m: float = 3.4
    y_ego_m: float = 0.0
    z_ego_m: float = 0.5
    yaw_deg: float = Field(default=0.0, ge=-360.0, le=360.0, description="counter-clockwise, 0 looks ahead")
    fov_deg: float = Field(default=120.0, ge=10.0, le=150.0, description="horizontal")
    range_m: float = Field(default=200.0, ge=10.0, le=300.0, description="at which a car is just seen")
    range_step_m: float = Field(default=0.4, gt=0.0, le=10.0, description="what lies closer together is one detection")
    azimuth_step_deg: float = Field(default=2.0, gt=0.1, le=20.0)
    speed_step_mps: float = Field(default=0.1, gt=0.0, le=5.0)
    detections: int = Field(default=128, ge=1, le=1024, description="the strongest so many are reported")
    noise: float = Field(default=1.0, ge=0.0, le=10.0, description="of ranges, angles and speeds; 0: none")
    ghosts: float = Field(default=0.0, ge=0.0, le=1.0, description="how many echoes come back a second time")


def _rig_form(value: Any) -> str:
    return "the cameras" if isinstance(value, list | tuple) else "the name"


RigSetting = Annotated[
    Annotated[RigName, Tag("the name")]
    | Annotated[Annotated[tuple[MountConfig, ...], Field(min_length=1, max_length=16)], Tag("the cameras")],
    Discriminator(_rig_form),
]


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
        default=4.0, ge=0.0, le=120.0, description="traffic runs for this long before the first frame is taken"
    )
    frames: int = Field(default=1, ge=1, le=1000, description="frames of each scene")
    interval_s: float = Field(default=0.5, gt=0.0, le=60.0, description="time between the frames of a scene")
    format: Annotated[tuple[DatasetFormat, ...], BeforeValidator(_listed)] = Field(
        default=("coco",), min_length=1, description="layouts to write: coco, kitti, nuscenes, webdataset"
    )
    labels: Annotated[tuple[LabelName, ...], BeforeValidator(_listed)] = Field(
        default=(), description="what the coco and webdataset layouts carry besides: normals, flow, keypoints ..."
    )
    image: Literal["png", "jpg"] = Field(default="png", description="file type of colour images; KITTI has PNG always")
    plan: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default={},
        description="settings and the values to go round, as in {weather: [clear, fog], sim.actors: [10, 40]}: every "
        "combination gets the same number of scenes",
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
    weather: WeatherSetting = Field(
        default="clear", description="a name, any (one by seed), numbers, or a list of numbers with at_s"
    )
    appearance: Literal["procedural", "gan", "any"] = "procedural"
    assets: dict[str, Path] = Field(
        default_factory=dict, description=".glb files in place of our models, by name: {SALOON: my.glb}"
    )
    road: RoadConfig = RoadConfig()
    sim: SimConfig = SimConfig()
    camera: CameraConfig = CameraConfig()
    rig: RigSetting = Field(default="front", description="front (the camera alone), nuscenes, waymo, kitti, or a list")
    sensor: SensorSetting = Field(default="ideal", description="ideal, dashcam, phone, industrial, or numbers")
    lidar: LidarSetting | None = Field(default=None, description="hdl64, hdl32, waymo, ouster128, numbers, or null")
    radar: RadarConfig | None = Field(default=None, description="null, or {} for one that looks ahead")
    train: TrainConfig = TrainConfig()
    drive: DriveConfig = DriveConfig()
    render: RenderConfig = RenderConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
