"""`roadloop view`: a page on this machine to look around a running world."""

import threading
import webbrowser
from pathlib import Path
from typing import Any

from configs.schema import Experiment
from pipelines.view.drivers import check_driver
from pipelines.view.requests import NewWorld
from pipelines.view.running import RoadRun, Running, ScenarioRun
from pipelines.view.server import ViewServer
from pipelines.view.session import Session
from pipelines.worlds import check_inputs
from sim.scenarios.library import find_scenario


def view(experiment: Experiment, scenario: Path | None, driver: str, port: int, browser: bool) -> None:
    """Serve the page until interrupted. ValueError or OSError where the world or the port cannot be had."""
    check_driver(driver)
    if scenario is not None:
        find_scenario(scenario)
    check_inputs(experiment)
    session = Session(experiment, maker(experiment, scenario, driver), driver)
    with _server(session, port, offered(experiment, scenario)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"Roadloop is at {server.address} (end with Ctrl-C)", flush=True)
        if browser:
            webbrowser.open(server.address)
        try:
            session.run()
        except KeyboardInterrupt:
            print("\nclosed")
        finally:
            session.close()
            server.shutdown()


def maker(experiment: Experiment, scenario: Path | None, driver: str) -> Any:
    """What builds the session's worlds: the one asked for on the command line, or a road that the page asks for."""

    def make(asked: NewWorld | None) -> Running:
        if asked is None and scenario is not None:
            return ScenarioRun(scenario, driver)
        if asked is None:
            return RoadRun(experiment)
        road = experiment.road.model_copy(update={"kind": asked.road, "map": None})
        return RoadRun(experiment.model_copy(update={"road": road, "seed": asked.seed}))

    return make


def offered(experiment: Experiment, scenario: Path | None) -> dict[str, Any]:
    """What the page offers in this session: nothing that would lead away from a file given by name."""
    own = scenario is not None or experiment.road.map is not None
    return {"worlds": not own, "road": experiment.road.kind, "scenario": scenario is not None}


def _server(session: Session, port: int, options: dict[str, Any]) -> ViewServer:
    try:
        return ViewServer(session, port, options)
    except OSError as error:
        raise OSError(f"--port {port}: {error.strerror or error}; choose another, or 0 for a free one") from error
