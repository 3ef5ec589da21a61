"""Everything that stands still on one map, in the order in which room is given away."""

from collections.abc import Sequence

import numpy as np

from sim.rendering.buildings import line_streets, place_landmarks, scatter_farms
from sim.rendering.forecourts import pave_fronts
from sim.rendering.furniture import furnish_country, furnish_highways, furnish_streets
from sim.rendering.ground import GroundRaster, Strip
from sim.rendering.planting import Items, Site, find_runs
from sim.rendering.signs import Furnished, place_objects, place_signals
from sim.rendering.woods import (
    plant_avenues,
    plant_edges_of_woods,
    plant_field_hedges,
    plant_trees,
    plant_weeds,
    raise_skyline,
)


def plant(
    network: Furnished, strips: Sequence[Strip], ground: GroundRaster, rng: np.random.Generator
) -> tuple[Items, GroundRaster]:
    """Everything that stands still on one map, and the ground, paved up to the fronts of streets.

    Only posts and what the network places stand on roads and sidewalks, and trees in front of houses.
    """
    items, site = Items(), Site(ground)
    runs = find_runs(strips, ground)
    town = sum(run.length_m for run in runs if run.is_sidewalk) > 0.5 * sum(run.length_m for run in runs)
    place_signals(items, site, network)
    place_objects(items, site, network)
    furnish_streets(items, site, runs, rng)
    furnish_highways(items, site, runs, rng)
    place_landmarks(items, site, runs, rng)
    line_streets(items, site, runs, rng)
    scatter_farms(items, site, runs, rng)
    furnish_country(items, site, runs, rng)
    plant_edges_of_woods(items, site, runs, rng)
    plant_avenues(items, site, runs, rng)
    plant_field_hedges(items, site, runs, rng)
    plant_trees(items, site, runs, rng)
    site.ground = pave_fronts(ground, items)
    plant_weeds(items, site, runs, rng)
    raise_skyline(items, site, rng, town)
    return items, site.ground
