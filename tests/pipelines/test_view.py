"""`roadloop view`: who may ask the server, what the session draws, and the page itself in a real browser."""

import http.client
import itertools
import json
import re
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import torch

from pipelines.config_io import load_experiment
from pipelines.view.cameras import Photographer, Tripod
from pipelines.view.drivers import Wheel
from pipelines.view.layers import boxes_3d
from pipelines.view.requests import Dash, Hands, Orbit, read_look, read_order
from pipelines.view.running import RoadRun, ScenarioRun
from pipelines.view.server import MOST_BODY_BYTES, PAGE, ViewServer
from pipelines.view.session import Session
from pipelines.view_job import maker
from pipelines.worlds import make_renderer
from sim.rendering.weather import weather_of

SMALL = {
    "road.kind": "crossing",
    "sim.actors": 14,
    "sim.pedestrians": 3,
    "sim.cyclists": 0,
    "sim.motorcycles": 0,
    "sim.parked": 0,
    "sim.dt_s": 0.05,
    "sim.route_m": 400.0,
    "camera.width_px": 640,
    "camera.height_px": 360,
    "camera.supersample": 1,
    "seed": 4,
}
MARKS = itertools.count(1)


@pytest.fixture(scope="module")
def experiment():
    return load_experiment(base=SMALL)


@contextmanager
def serving(session):
    server = ViewServer(session, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        session.close()
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def idle(experiment):
    """A server whose world is never built."""
    with serving(Session(experiment, maker(experiment, None, "you"), "you")) as server:
        yield server


@pytest.fixture(scope="module")
def live(experiment):
    """A server with a running world."""
    session = Session(experiment, maker(experiment, None, "classical"), "classical")
    thread = threading.Thread(target=session.run, daemon=True)
    with serving(session) as server:
        thread.start()
        yield server
    thread.join(20.0)
    assert not thread.is_alive()


def ask(server, method, path, body=None, **headers):
    """Status, headers and content; header names with underscores for hyphens."""
    line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    given = {"Host": f"127.0.0.1:{server.server_port}", "Content-Type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    line.request(method, path, body, given)
    answer = line.getresponse()
    content = answer.read()
    line.close()
    return answer.status, answer.headers, content


def frame(server, **look):
    """Readout and picture (H, W, 3) RGB drawn for a look, after all orders given before it."""
    mark, seen, readout = next(MARKS), -1, {}
    while readout.get("mark") != mark:
        status, _, content = ask(server, "POST", "/frame", json.dumps({"seen": seen, "mark": mark, **look}))
        assert status in (200, 202), content
        if status == 200:
            length = struct.unpack(">I", content[:4])[0]
            readout = json.loads(content[4 : 4 + length])
            seen = readout["number"]
    return readout, cv2.imdecode(np.frombuffer(content[4 + length :], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def order(server, **given):
    status, _, content = ask(server, "POST", "/order", json.dumps(given))
    assert status == 204, content


# ------------------------------------------------------------------------------------------------------- who may ask


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "", "localhost.evil.example"]
)
def test_other_hosts_are_refused(idle, host):
    assert ask(idle, "GET", "/", Host=host)[0] == 421
    assert ask(idle, "POST", "/order", '{"do": "restart"}', Host=host)[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
    ids=str,
)
def test_other_pages_are_refused(idle, headers):
    assert ask(idle, "POST", "/order", '{"do": "restart"}', **headers)[0] == 403


def test_our_own_page_may_ask(idle):
    for name in ("127.0.0.1", "localhost"):
        host = f"{name}:{idle.server_port}"
        given = {"Host": host, "Origin": f"http://{host}", "Sec_Fetch_Site": "same-origin"}
        assert ask(idle, "POST", "/order", '{"do": "restart"}', **given)[0] == 204


@pytest.mark.parametrize(
    "path",
    [
        "/page.html",
        "/../pyproject.toml",
        "/%2e%2e/server.py",
        "/server.py",
        "/./",
        "/?x=1",
        "/style.css/",
        "/etc/passwd",
    ],
)
def test_only_known_paths_are_served(idle, path):
    assert ask(idle, "GET", path)[0] == 404
    assert ask(idle, "POST", path, "{}")[0] == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"])
def test_other_methods_are_refused(idle, method):
    assert ask(idle, method, "/order", "{}")[0] == 501


def test_bodies_are_small_and_json(idle):
    assert ask(idle, "POST", "/order", "x" * (MOST_BODY_BYTES + 1))[0] == 413
    assert ask(idle, "POST", "/order", b"", Content_Length="99999999999999999999")[0] == 413
    assert ask(idle, "POST", "/order", b"", Content_Length="-1")[0] == 411
    assert ask(idle, "POST", "/order", '{"do": "restart"}', Content_Type="text/plain")[0] == 415


@pytest.mark.parametrize(
    "body",
    [
        *("", "{", "[]", "null", '{"do": "fly"}', '{"do": "play"}', '{"do": "play", "running": true, "x": 1}'),
        *('{"do": "pace", "factor": NaN}', '{"do": "pace", "factor": 1e9}', '{"do": "ego", "x_m": 1e300, "y_m": 0}'),
        *(
            '{"do": "sky", "cloud": 2}',
            '{"do": "preset", "name": "sleet"}',
            '{"do": "world", "road": "canal", "seed": 1}',
        ),
        "[" * 8000,
    ],
)
def test_malformed_orders_are_refused_in_one_line(idle, body):
    status, _, said = ask(idle, "POST", "/order", body)
    assert status == 400 and said and b"\n" not in said
    assert ask(idle, "POST", "/frame", body)[0] == 400 or body == "{}"


def test_no_answer_may_be_used_elsewhere(idle):
    for path in (*PAGE, "/options", "/map", "/nowhere"):
        _, headers, content = ask(idle, "GET", path)
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert (
            headers["Cross-Origin-Resource-Policy"] == "same-origin" and headers["X-Content-Type-Options"] == "nosniff"
        )
        assert "Access-Control-Allow-Origin" not in headers
        assert b"https://" not in content  # nothing comes from elsewhere


def test_a_world_that_is_built_says_so(idle):
    status, _, content = ask(idle, "POST", "/frame", "{}")
    assert status == 202 and json.loads(content)["status"]["busy"] == "building the world"


def test_the_page_finds_all_its_parts(idle):
    page = ask(idle, "GET", "/")[2].decode()
    script = "".join(ask(idle, "GET", path)[2].decode() for path in PAGE if path.endswith(".js"))
    assert set(re.findall(r'(?:src|href)="(/[^"]+)"', page) + re.findall(r'from "([^"]+)"', script)) == set(PAGE) - {
        "/"
    }
    wanted = set(re.findall(r'\$\("([a-z0-9-]+)"\)', script))
    assert wanted <= set(re.findall(r'id="([a-z0-9-]+)"', page))


# ------------------------------------------------------------------------------------------------- what it looks like


def test_the_carried_camera_sees_what_the_cars_own_camera_does(experiment):
    running = RoadRun(experiment)
    senses = running.senses
    weather = weather_of([running.worlds.forecasts[0].at(0.0)])
    own = make_renderer(experiment, running.worlds, experiment.camera)
    frame, truth = own.render(senses.world, senses.state, weather, senses.ego_state(), senses.boxes_3d())
    own_semantic, own_rgb = truth.semantic[0, 0].clone(), frame.rgb[0, 0].clone()
    eye = Tripod(experiment.camera, running.worlds.maps.scenery).eye(Dash(), senses.state, 2.7, 0.0)
    rgb, carried, _ = Photographer(experiment, running).take(eye, weather, 640, 1, (), False)
    assert float((carried.semantic[0, 0] == own_semantic).float().mean()) > 0.999
    assert np.abs(rgb.astype(int) - own_rgb.numpy()).mean() < 0.5
    assert torch.equal(carried.boxes_2d.actor[0, 0, 1:] - 1, truth.boxes_2d.actor[0, 0])


def test_boxes_in_space_hold_what_is_drawn(experiment):
    running = RoadRun(experiment)
    senses = running.senses
    weather = weather_of([running.worlds.forecasts[0].at(0.0)])
    tripod, photographer = Tripod(experiment.camera, running.worlds.maps.scenery), Photographer(experiment, running)
    for azimuth in (0.0, 130.0):
        eye = tripod.eye(Orbit(azimuth_deg=azimuth, elevation_deg=50.0, distance_m=14.0), senses.state, 2.7, 0.0)
        _, truth, camera = photographer.take(eye, weather, 640, 1, (), True)
        boxes = truth.boxes_2d
        seen = [k for k in range(senses.world.kind.shape[1]) if boxes.visible_pixels[0, 0, k] > 60]
        lines = boxes_3d([int(boxes.actor[0, 0, k]) - 1 for k in seen], senses.world, senses.state, eye, camera)
        assert 0 in lines  # the ego itself
        for k in seen:
            uv = np.array(lines[int(boxes.actor[0, 0, k]) - 1]).reshape(-1, 2) / 10
            left, top, right, bottom = boxes.amodal_px[0, 0, k].tolist()
            assert uv[:, 0].min() < left + 3 and uv[:, 1].min() < top + 3
            assert uv[:, 0].max() > right - 3 and uv[:, 1].max() > bottom - 3
            assert np.ptp(uv[:, 0]) < 2.2 * (right - left) + 6  # and not much more


def test_layers_and_weather_change_the_picture_but_no_label(live):
    order(live, do="play", running=False)
    readout, plain = frame(live)
    assert plain.shape == (360, 640, 3) and readout["size"] == [640, 360]
    for layer in ("semantic", "instance", "things", "depth", "normals", "flow"):
        assert np.abs(frame(live, layer=layer)[1].astype(int) - plain).mean() > 8, layer
    order(live, do="preset", name="night")
    night, dark = frame(live)
    assert dark.mean() < 0.7 * plain.mean() and night["weather"]["preset"] == "night"
    order(live, do="sky", time_h=12.5, cloud=1.0, visibility_m=40.0)
    fog, grey = frame(live)
    assert fog["weather"]["visibility_m"] == 40.0
    assert grey[60:180].std() < 0.6 * plain[60:180].std()  # contrast goes
    order(live, do="sky", rain_mmph=4.0)
    assert frame(live)[0]["weather"]["wet"] >= 0.9  # rain wets the road
    assert night["boxes"] == readout["boxes"] == fog["boxes"] != []
    order(live, do="preset", name="clear")


def test_cameras_stand_where_they_are_told(live):
    order(live, do="play", running=False)
    ego = frame(live)[0]["ego"]
    orbit = frame(live, camera={"mode": "orbit", "azimuth_deg": 90.0, "elevation_deg": 20.0, "distance_m": 12.0})[0]
    away = np.hypot(orbit["eye"]["x"] - ego["x"], orbit["eye"]["y"] - ego["y"])
    assert abs(away - 12.0 * np.cos(np.radians(20.0))) < 2.0
    assert any(box["actor"] == 0 for box in orbit["boxes"])
    dash = frame(live)[0]
    assert not any(box["actor"] == 0 for box in dash["boxes"])
    fly = {"mode": "fly", "x_m": ego["x"] + 5.0, "y_m": ego["y"], "z_m": 30.0, "yaw_deg": 10.0, "pitch_deg": 60.0}
    eye = frame(live, camera=fly)[0]["eye"]
    assert (eye["z"], eye["yaw_deg"], eye["pitch_deg"]) == pytest.approx((30.0, 10.0, 60.0), abs=0.02)


def test_the_clock_obeys(live):
    order(live, do="play", running=False)
    before = frame(live)[0]["tick"]
    assert frame(live)[0]["tick"] == before
    order(live, do="step", seconds=0.2)
    assert frame(live)[0]["tick"] == before + 4
    order(live, do="restart")
    readout = frame(live)[0]
    assert readout["tick"] == 0
    start = readout["actors"]
    order(live, do="restart", seed=5)
    other = frame(live)[0]
    assert other["seed"] == 5 and other["actors"] != start
    order(live, do="restart", seed=4)
    assert frame(live)[0]["actors"] == start  # the same seed is the same world


def test_the_ego_goes_where_the_map_is_clicked(live):
    order(live, do="driver", name="classical")
    shapes = json.loads(ask(live, "GET", "/map")[2])
    assert {kind for kind, _ in shapes["surfaces"]} >= {"driving"} and shapes["lights"]
    order(live, do="play", running=False)
    before = frame(live)[0]["ego"]
    left, low, right, high = shapes["bounds"]
    goal = (left + 0.25 * (right - left), low + 0.5 * (high - low))
    order(live, do="ego", x_m=goal[0], y_m=goal[1])
    there = frame(live)[0]["ego"]
    assert np.hypot(there["x"] - goal[0], there["y"] - goal[1]) < 40.0
    assert np.hypot(there["x"] - before["x"], there["y"] - before["y"]) > 5.0
    order(live, do="step", seconds=4.0)
    after = frame(live)[0]
    assert after["ego"]["progress_m"] > 4.0 and len(after["route"]) > 4 and not after["befell"]
    order(live, do="ego", x_m=1e5, y_m=1e5)
    assert "no free lane" in frame(live)[0]["notice"]


def test_a_driver_that_there_is_not_leaves_the_other_at_the_wheel(live):
    order(live, do="driver", name="classical")
    for name in ("nobody", "/etc/passwd", "agents/weights/agent.safetensors"):
        order(live, do="driver", name=name)
        readout = frame(live)[0]
        assert readout["driver"] == "classical" and name in readout["notice"]


# ---------------------------------------------------------------------------------------------------- who is driving


def test_keys_drive_the_car(experiment):
    running = RoadRun(experiment)
    wheel, state = Wheel("you", running, 75.0), running.senses.state
    yaw = float(state.yaw_world_rad[0, 0])
    for _ in range(40):
        running.step(wheel.command(Hands(gas=True)))
    speed = float(state.speed_mps[0, 0])
    assert speed > 4.0 and float(state.yaw_world_rad[0, 0]) == pytest.approx(yaw, abs=0.02)
    for _ in range(20):
        running.step(wheel.command(Hands(left=True)))
    assert 0.05 < (float(state.yaw_world_rad[0, 0]) - yaw + np.pi) % (2 * np.pi) - np.pi < 1.5
    for _ in range(60):
        running.step(wheel.command(Hands(brake=True)))
    assert float(state.speed_mps[0, 0]) == 0.0


def test_a_scenario_plays_by_itself_or_by_hand():
    running = ScenarioRun("cut_in", "none")
    start = running.senses.state.xy_world_m.clone()
    for _ in range(40):
        running.step(None)
    moved = running.senses.state.xy_world_m.clone()
    assert float((moved - start)[0, 0].norm()) > 5.0 and not running.over
    assert running.hand_over("you")
    assert torch.equal(running.senses.state.xy_world_m, start)
    wheel = Wheel("you", running, 75.0)
    speed = float(running.senses.state.speed_mps[0, 0])
    for _ in range(40):
        running.step(wheel.command(Hands(brake=True)))
    assert float(running.senses.state.speed_mps[0, 0]) < speed - 3.0
    with pytest.raises(ValueError, match="scenario"):
        running.move_ego((0.0, 0.0))


def test_requests_name_what_is_wrong():
    with pytest.raises(ValueError, match=r"camera\.orbit\.distance_m"):
        read_look(b'{"camera": {"mode": "orbit", "distance_m": -1}}')
    with pytest.raises(ValueError, match="pace"):
        read_order(b'{"do": "pace", "factor": "fast"}')


# ---------------------------------------------------------------------------------------------------- in the browser


@pytest.mark.slow
def test_the_page_in_chromium(tmp_path):
    browser = pytest.importorskip("chromium", reason="the DevTools protocol needs the package websockets")
    if browser.CHROMIUM is None:
        pytest.skip("no Chromium here")
    settings = [f"--set={key}={value}" for key, value in SMALL.items() if key != "seed"]
    command = [sys.executable, "-m", "pipelines.cli", "view", "--seed", "4", "--port", "0", "--no-browser", *settings]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as job:
        try:
            assert job.stdout is not None
            address = re.search(r"http://127\.0\.0\.1:\d+/", job.stdout.readline())
            assert address, "the command does not say where the page is"
            with browser.Page(tmp_path) as page:
                _use(page, address[0])
                assert not page.complaints
        finally:
            job.terminate()


def _use(page, address):
    """Look, switch, slide and drive as a person would."""
    page.call("Page.navigate", url=address)
    page.until("window.roadloop && roadloop.pictures.length > 5", 120)
    brightness = """(() => {
      const pixels = document.getElementById("picture").getContext("2d").getImageData(0, 0, 640, 300).data;
      return pixels.reduce((sum, v, i) => sum + (i % 4 < 3 ? v : 0), 0) / pixels.length;
    })()"""
    page.value("document.getElementById('play').click()")
    page.until("!roadloop.state.playing")
    plain = page.value(brightness)
    assert 20 < plain < 220
    page.value("document.querySelector('#layers [data-value=instance]').click()")
    page.until("roadloop.state.layer === 'instance'")
    assert page.value(brightness) < 0.75 * plain  # dark but for road users
    page.value("document.querySelector('#layers [data-value=none]').click()")
    page.until("roadloop.state.layer === 'none'")
    page.value(
        "(() => { const time = document.getElementById('sky-time_h');"
        "time.value = 1; time.dispatchEvent(new Event('input')); })()"
    )
    page.until("roadloop.state.weather.time_h === 1")
    page.until(f"({brightness}) < {0.8 * plain}")
    page.value("document.querySelector('#camera [data-value=orbit]').click()")
    page.until("roadloop.state.boxes.some((box) => box.actor === 0)")
    yaw = page.value("roadloop.state.eye.yaw_deg")
    page.drag((500, 300), (700, 320))
    page.until(f"Math.abs(roadloop.state.eye.yaw_deg - {yaw}) > 10")
    page.value("document.getElementById('boxes-3d').click()")
    page.until("Object.keys(roadloop.state.boxes3d).length > 0")
    painted = "document.getElementById('overlay').getContext('2d').getImageData(0, 0, 900, 500).data.some((v) => v > 0)"
    page.until(painted)
    page.value("document.getElementById('play').click()")
    page.until("roadloop.state.playing")
    page.key("ArrowUp", True)
    page.until("roadloop.state.driver === 'you'")
    page.until("roadloop.state.ego.speed_mps > 6 && roadloop.state.ego.accel_mps2 > 1")
    page.key("ArrowUp", False)
    page.key("ArrowDown", True)
    page.until("roadloop.state.ego.speed_mps < 1")
    page.key("ArrowDown", False)
    page.key("KeyN", True)
    page.until("roadloop.state.seed === 5 && roadloop.state.time_s < 5")
