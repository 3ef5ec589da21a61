"""The running world behind the page: one thread that moves it, draws it and answers what the page asks for.

Nothing is drawn unless somebody waits for a picture, and the world stands still while nobody does.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from agents.contract import EGO
from configs.schema import Experiment
from pipelines.view import requests
from pipelines.view.cameras import Photographer, Tripod
from pipelines.view.drivers import Wheel
from pipelines.view.layers import boxes_2d, boxes_3d, extras_of, picture
from pipelines.view.readout import Clock, readout
from pipelines.view.requests import Look
from pipelines.view.road_map import map_of
from pipelines.view.running import Running
from sim.rendering.conditions import Conditions, drawn_conditions
from sim.rendering.weather import Weather, weather_of

WATCHED_S = 1.0  # without anybody asking the world waits
LEAST_WAIT_S = 1.0  # that an unchanged picture is waited for
LONGEST_TICKS_S = 0.12  # of stepping between two pictures: slow machines show slow motion, not a slide show
FLASH_S = 2.5  # that what befell the ego stays on the page
NOTICE_S = 3.0  # of real time that a refusal does
JPEG_QUALITY = 88

Maker = Callable[[requests.NewWorld | None], Running]


@dataclass(frozen=True)
class Picture:
    """One answer: the JPEG and what the page writes beside it."""

    number: int
    jpeg: bytes
    state: dict[str, Any]


class Session:
    """Answers the page's threads; the world belongs to the thread that `run` is called on."""

    def __init__(self, experiment: Experiment, make: Maker, driver: str) -> None:
        """`make` builds the world to start with, or another one; it is called on the session's own thread."""
        self._experiment, self._make, self._driver = experiment, make, driver
        # Whom the page may choose: it can name no other file of weights than the command line did.
        self.drivers = tuple(dict.fromkeys((*requests.DRIVERS, driver)))
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._look, self._asked_at = Look(), 0.0
        self._picture: Picture | None = None
        self._map: dict[str, Any] | None = None
        self._busy, self._notice, self._closing = "building the world", "", False
        self._world_number, self._version, self._notice_until = 0, 0, 0.0

    # ------------------------------------------------------------------------------------- asked by the page's threads

    def look(self, look: Look, wait_s: float = LEAST_WAIT_S) -> Picture | None:
        """The next picture after the one that the page has; None where there is none in time."""
        deadline = time.monotonic() + wait_s
        with self._changed:
            self._look, self._asked_at = look, time.monotonic()
            self._changed.notify_all()
            while not self._closing:
                if self._picture is not None and self._picture.number > look.seen and not self._busy:
                    return self._picture
                left = deadline - time.monotonic()
                if left <= 0.0:
                    return None
                self._changed.wait(left)
        return None

    def order(self, order: Any) -> None:
        """Have an order carried out before the next picture."""
        self._orders.put(order)
        with self._changed:
            self._asked_at = time.monotonic()
            self._changed.notify_all()

    def status(self) -> dict[str, Any]:
        """What the page shows while there is no picture."""
        return {"busy": self._busy, "notice": self._notice}

    def map(self) -> dict[str, Any] | None:
        """The present world's map; None while it is built."""
        return self._map

    def close(self) -> None:
        """Let `run` end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # ---------------------------------------------------------------------------------------------- the world's thread

    def run(self) -> None:
        """Live until closed. Raises what building the first world raises."""
        self._build(None)
        shown: tuple | None = None
        sharpened = True
        while not self._closing:
            with self._changed:
                while not self._closing and not self._wanted():
                    self._changed.wait(0.5)
                    self._clock.pause()
                look = self._look
            if self._closing:
                return
            self._obey()
            self._advance(look)
            now = (self._clock.ticks, self._conditions, self._version, self._notice, _steady(look))
            if now == shown and (sharpened or self._clock.running):
                self._rest()
                continue
            sharpened = now == shown or look.sharp
            self._publish(look, 2 if sharpened else 1)
            shown = now

    def _wanted(self) -> bool:
        return not self._orders.empty() or time.monotonic() - self._asked_at < WATCHED_S

    def _rest(self) -> None:
        """Until the page asks for something else, or the next tick is due."""
        with self._changed:
            if self._orders.empty():
                self._changed.wait(0.005 if self._clock.running else 0.02)

    def _build(self, asked: requests.NewWorld | None) -> None:
        self._busy = "building the world"
        try:
            self._running = self._make(asked)
            self._begin()
            self._map = map_of(self._running.worlds)
        finally:
            self._busy = ""

    def _begin(self) -> None:
        """Everything that belongs to one world."""
        running, experiment = self._running, self._experiment
        self._clock = Clock(running.senses.world.dt_s)
        self._photographer = Photographer(experiment, running)
        self._wheel = Wheel(self._driver, running, experiment.camera.fov_deg)
        self._preset, self._own_weather = running.worlds.weathers[0], False
        self._world_number += 1
        self._set_weather(running.worlds.forecasts[0].at(0.0))
        self._restarted()

    def _restarted(self) -> None:
        self._tripod = Tripod(self._experiment.camera, self._running.worlds.maps.scenery)
        self._flash, self._flash_until, self._notice = "", 0.0, ""
        self._version += 1

    # ---------------------------------------------------------------------------------------------------------- orders

    def _obey(self) -> None:
        while not self._orders.empty():
            order = self._orders.get()
            try:
                self._orders_by_type[type(order)](self, order)
            except (ValueError, OSError) as error:
                self._notice, self._notice_until = " ".join(str(error).split()), time.monotonic() + NOTICE_S
            self._version += 1

    def _play(self, order: requests.Play) -> None:
        self._clock.running = order.running

    def _step(self, order: requests.Step) -> None:
        self._clock.running = False
        self._clock.owe(order.seconds)

    def _pace(self, order: requests.Pace) -> None:
        self._clock.pace = order.factor

    def _restart(self, order: requests.Restart) -> None:
        self._running.restart(self._running.seed if order.seed is None else order.seed)
        self._photographer.rebind()
        self._renew()

    def _renew(self) -> None:
        self._wheel = Wheel(self._wheel.name, self._running, self._experiment.camera.fov_deg)
        self._running.slip(self._conditions)
        self._clock.restart()
        self._restarted()

    def _new_world(self, order: requests.NewWorld) -> None:
        running, pace = self._clock.running, self._clock.pace
        conditions = self._conditions if self._own_weather else None
        self._build(order)
        self._clock.running, self._clock.pace = running, pace
        if conditions is not None:
            self._own_weather = True
            self._set_weather(conditions)

    def _take_wheel(self, order: requests.Driver) -> None:
        if order.name not in self.drivers:
            raise ValueError(f"nobody here is called {order.name}; take {', '.join(self.drivers)}")
        wheel = Wheel(order.name, self._running, self._experiment.camera.fov_deg)
        self._driver = order.name
        if self._running.hand_over(order.name):
            self._photographer.rebind()
            self._wheel = wheel
            self._renew()
        self._wheel = wheel

    def _take_preset(self, order: requests.Preset) -> None:
        self._preset, self._own_weather = order.name, True
        self._set_weather(drawn_conditions(order.name, self._running.seed))

    def _take_sky(self, order: requests.Sky) -> None:
        """Rain wets the road; a time of day puts the sun where it then stands."""
        given = order.model_dump(exclude={"do"}, exclude_none=True)
        if "time_h" in given:
            given |= {"sun_azimuth_deg": None, "sun_elevation_deg": None}
        if given.get("rain_mmph") and "wet" not in given:
            given["wet"] = max(self._conditions.wet, min(1.0, 0.5 + 0.1 * given["rain_mmph"]))
        self._own_weather = True
        self._set_weather(replace(self._conditions, **given))

    def _set_weather(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._weather: Weather = weather_of([conditions])
        self._running.slip(conditions)

    def _move_ego(self, order: requests.MoveEgo) -> None:
        self._running.move_ego((order.x_m, order.y_m))
        self._tripod = Tripod(self._experiment.camera, self._running.worlds.maps.scenery)
        self._notice = ""

    _orders_by_type: dict[type, Callable[..., None]] = {  # noqa: RUF012  (constant)
        requests.Play: _play,
        requests.Step: _step,
        requests.Pace: _pace,
        requests.Restart: _restart,
        requests.NewWorld: _new_world,
        requests.Driver: _take_wheel,
        requests.Preset: _take_preset,
        requests.Sky: _take_sky,
        requests.MoveEgo: _move_ego,
    }

    # -------------------------------------------------------------------------------------------------------- pictures

    def _advance(self, look: Look) -> None:
        """The ticks that are due, as many as there is time for."""
        started = time.monotonic()
        for _ in range(self._clock.due()):
            befell = self._running.step(self._wheel.command(look.hands))
            self._clock.ticks += 1
            if befell:
                self._flash, self._flash_until = befell, self._clock.time_s + FLASH_S
            late = self._clock.running and time.monotonic() - started > LONGEST_TICKS_S
            if self._running.over or late:
                self._clock.forgive()
                break
        if self._running.over:
            self._clock.running = False
        forecast = self._running.worlds.forecasts[0]
        if not self._own_weather and len(forecast.at_s) > 1:
            self._set_weather(forecast.at(self._clock.time_s))

    def _publish(self, look: Look, samples: int) -> None:
        started = time.monotonic()
        senses = self._running.senses
        eye = self._tripod.eye(
            look.camera, senses.state, float(senses.world.wheelbase_m[0, EGO]), self._clock.frame_s()
        )
        labels = extras_of(look.layer)
        outside = look.camera.mode != "dash"
        rgb, truth, camera = self._photographer.take(eye, self._weather, look.width_px, samples, labels, outside)
        shown = picture(rgb, truth, look.layer, look.opacity)
        seen = boxes_2d(truth)
        state = readout(self._running, self._clock, self._wheel)
        state |= {
            "world": self._world_number,
            "busy": self._busy,
            "notice": self._notice if started < self._notice_until else "",
            "befell": self._flash if self._clock.time_s < self._flash_until else "",
            "weather": self._weather_numbers(),
            "size": [camera.width_px, camera.height_px],
            "layer": look.layer,
            "mark": look.mark,
            "samples": samples,
            "boxes": seen,
            "boxes3d": boxes_3d([b["actor"] for b in seen], senses.world, senses.state, eye, camera)
            if look.boxes_3d
            else {},
            "eye": {
                "x": round(eye.x_m, 2),
                "y": round(eye.y_m, 2),
                "z": round(self._tripod.above_ground_m(eye), 2),
                "yaw_deg": round(float(np.degrees(eye.yaw_rad)), 2),
                "pitch_deg": round(float(np.degrees(eye.pitch_rad)), 2),
                "fov_deg": self._experiment.camera.fov_deg,
            },
        }
        jpeg = _jpeg(shown)
        state["draw_ms"] = round(1000.0 * (time.monotonic() - started), 1)
        with self._changed:
            self._picture = Picture(self._picture.number + 1 if self._picture else 0, jpeg, state)
            state["number"] = self._picture.number
            self._changed.notify_all()

    def _weather_numbers(self) -> dict[str, Any]:
        c = self._conditions
        names = ("cloud", "rain_mmph", "visibility_m", "snowfall_mmph", "snow", "wet", "exposure_ev", "time_h")
        numbers = {name: round(getattr(c, name), 3) for name in names}
        return {"preset": self._preset, "sun_deg": round(float(np.degrees(c.sun()[1])), 1), **numbers}


def _steady(look: Look) -> Look:
    """What of a request changes the picture."""
    return look.model_copy(update={"seen": -1, "hands": requests.Hands()})


def _jpeg(rgb: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise RuntimeError("the picture could not be encoded as JPEG")
    return data.tobytes()
