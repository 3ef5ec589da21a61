"""What the page may ask for, checked before anything acts on it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from configs.schema import RoadKind, WeatherName

Layer = Literal["none", "semantic", "instance", "things", "depth", "normals", "flow"]
WIDTHS_PX = (480, 640, 960, 1280)
DRIVERS = ("classical", "ppo", "you", "none")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Angle = Annotated[float, Field(ge=-1e4, le=1e4)]  # degrees
Place = Annotated[float, Field(ge=-1e7, le=1e7)]  # metres


class Dash(_Asked):
    """From behind the windscreen; turned to the side and down."""

    mode: Literal["dash"] = "dash"
    yaw_deg: Angle = 0.0
    pitch_deg: Annotated[float, Field(ge=-80.0, le=80.0)] = 0.0


class Orbit(_Asked):
    """Around the ego: azimuth 0 looks from behind it."""

    mode: Literal["orbit"] = "orbit"
    azimuth_deg: Angle = 0.0
    elevation_deg: Annotated[float, Field(ge=-10.0, le=89.0)] = 16.0
    distance_m: Annotated[float, Field(ge=2.0, le=400.0)] = 9.0


class Fly(_Asked):
    """Anywhere; `z_m` above the ground below it, pitch nose down positive."""

    mode: Literal["fly"] = "fly"
    x_m: Place
    y_m: Place
    z_m: Annotated[float, Field(ge=0.0, le=2000.0)]
    yaw_deg: Angle = 0.0
    pitch_deg: Annotated[float, Field(ge=-90.0, le=90.0)] = 0.0


Camera = Annotated[Dash | Orbit | Fly, Field(discriminator="mode")]


class Hands(_Asked):
    """Keys held down."""

    gas: bool = False
    brake: bool = False
    left: bool = False
    right: bool = False


class Look(_Asked):
    """The next picture, with what the page shows and holds down now."""

    seen: Annotated[int, Field(ge=-1)] = -1  # the last picture that the page has
    camera: Camera = Dash()
    hands: Hands = Hands()
    layer: Layer = "none"
    opacity: Annotated[float, Field(ge=0.0, le=1.0)] = 0.6
    boxes_3d: bool = False
    width_px: Literal[480, 640, 960, 1280] = 640
    sharp: bool = False
    mark: int = 0  # comes back with the first picture drawn for it


class Play(_Asked):
    do: Literal["play"]
    running: bool


class Step(_Asked):
    do: Literal["step"]
    seconds: Annotated[float, Field(gt=0.0, le=10.0)] = 0.1


class Pace(_Asked):
    do: Literal["pace"]
    factor: Annotated[float, Field(ge=0.05, le=8.0)]


class Restart(_Asked):
    """The same again, or with other traffic."""

    do: Literal["restart"]
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class NewWorld(_Asked):
    """Another generated road."""

    do: Literal["world"]
    road: RoadKind
    seed: Annotated[int, Field(ge=0, lt=2**31)]


class Driver(_Asked):
    do: Literal["driver"]
    name: Annotated[str, Field(max_length=200)]


class Preset(_Asked):
    do: Literal["preset"]
    name: WeatherName


class Sky(_Asked):
    """Numbers of the weather; those not given stay."""

    do: Literal["sky"]
    time_h: Annotated[float, Field(ge=0.0, le=24.0)] | None = None
    cloud: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    rain_mmph: Annotated[float, Field(ge=0.0, le=60.0)] | None = None
    visibility_m: Annotated[float, Field(ge=20.0, le=1e5)] | None = None
    snowfall_mmph: Annotated[float, Field(ge=0.0, le=10.0)] | None = None
    snow: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    wet: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    exposure_ev: Annotated[float, Field(ge=-4.0, le=4.0)] | None = None


class MoveEgo(_Asked):
    do: Literal["ego"]
    x_m: Place
    y_m: Place


Order = Annotated[Play | Step | Pace | Restart | NewWorld | Driver | Preset | Sky | MoveEgo, Field(discriminator="do")]
_ORDER: TypeAdapter[Any] = TypeAdapter(Order)


def read_look(body: bytes) -> Look:
    """ValueError with one line where the request is wrong."""
    try:
        return Look.model_validate_json(body)
    except ValidationError as error:
        raise ValueError(_line(error)) from None


def read_order(body: bytes) -> Any:
    """One of the orders; ValueError with one line where there is no such."""
    try:
        return _ORDER.validate_json(body)
    except ValidationError as error:
        raise ValueError(_line(error)) from None


def _line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
