"""Bicycles and motorcycles: how they look and are labelled, how learned drivers are told of them, how they ride."""

import numpy as np
import pytest
import torch
from lane_graphs import straight
from tiny_scene import Actor, make_world, shoot

from configs.schema import SimConfig
from sim.observe import EGO_FEATURES, ROUTE_INDEX, ObservationKernels
from sim.simulator import Simulator
from sim.types import ActorKind, Percept, Semantic

CAR, PERSON, BICYCLE, MOTORCYCLE = ActorKind.CAR, ActorKind.PEDESTRIAN, ActorKind.BICYCLE, ActorKind.MOTORCYCLE
LABEL = {BICYCLE: Semantic.BICYCLE, MOTORCYCLE: Semantic.MOTORCYCLE}


@pytest.mark.parametrize("kind", LABEL)
def test_rider_and_machine_are_one_actor_with_one_label(kind: ActorKind) -> None:
    """Seen from the side: the silhouette fills the label's box, yet one sees through it."""
    world, state = make_world([[Actor(kind, 8.0, -1.75, np.pi / 2)]])
    _, truth, _ = shoot(world, state, 320, 192)
    seen = truth.semantic[0, 0] == int(LABEL[kind])
    assert torch.equal(seen, truth.instance[0, 0] == 2)
    assert int(truth.boxes_2d.kind[0, 0, 0]) == kind
    box = truth.boxes_2d.amodal_px[0, 0, 0].tolist()
    rows, columns = seen.nonzero(as_tuple=True)
    assert [int(columns.min()), int(rows.min())] == pytest.approx(box[:2], abs=1.5)
    assert [int(columns.max()) + 1, int(rows.max()) + 1] == pytest.approx(box[2:], abs=1.5)
    area = (box[2] - box[0]) * (box[3] - box[1])
    assert 0.15 * area < int(seen.sum()) < 0.7 * area


def test_two_wheelers_wear_the_colours_of_their_appearance() -> None:
    colours = []
    for appearance in range(4):
        world, state = make_world([[Actor(BICYCLE, 6.0, -1.75, np.pi / 2, appearance=appearance)]])
        frame, truth, _ = shoot(world, state, 160, 96)
        colours.append(tuple(frame.rgb[0, 0][truth.instance[0, 0] == 2].float().mean(dim=0).tolist()))
    assert len(set(colours)) == 4


def test_learned_drivers_are_told_of_four_kinds_as_before() -> None:
    """A cyclist reads like a person in the same place, a motorcycle like a car."""
    sim = Simulator(straight(), SimConfig(actors=2, pedestrians=0), torch.arange(1), torch.zeros(1, dtype=torch.int32))
    boxes, rows = sim.boxes_3d(), {}
    boxes.center_ego_m[0, 0], boxes.valid[0, 0] = torch.tensor([15.0, 1.0, 0.8]), True
    for kind in (CAR, PERSON, BICYCLE, MOTORCYCLE):
        boxes.kind[0, 0] = int(kind)
        ego = sim.ego_state()
        rows[kind] = ObservationKernels(1)(Percept(boxes, ego.time_s), sim.route(), ego)[0].clone()
    first = EGO_FEATURES + 4 * len(ROUTE_INDEX)
    told = {kind: row[0, first + 9 : first + 13].tolist() for kind, row in rows.items()}
    assert told[BICYCLE] == told[PERSON] == [0.0, 0.0, 0.0, 1.0]
    assert told[MOTORCYCLE] == told[CAR] == [1.0, 0.0, 0.0, 0.0]
    assert rows[BICYCLE].shape == rows[CAR].shape
