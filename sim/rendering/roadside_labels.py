"""Signals and signs that can be seen in the images: which, where, and what they show."""

import torch

from sim.rendering.scenery import Scenery
from sim.types import GroundTruth, RoadsideBoxes, Semantic, State, World


def roadside_boxes(truth: GroundTruth, scenery: Scenery, world: World, state: State, most: int = 32) -> RoadsideBoxes:
    """Signal heads and signs with a pixel in the images, up to `most` an image, the lowest items first.

    Raises ValueError where the renderer was not asked for `things`.
    """
    thing = truth.extra.thing
    if thing is None:
        raise ValueError("roadside_boxes: needs a renderer with labels=('things',)")
    worlds, cameras = thing.shape[:2]
    views, device = worlds * cameras, thing.device
    is_sign = (truth.semantic == Semantic.TRAFFIC_LIGHT) | (truth.semantic == Semantic.TRAFFIC_SIGN)
    view, row, column = is_sign.flatten(0, 1).nonzero(as_tuple=True)
    item = thing.flatten(0, 1)[view, row, column].long() - world.kind.shape[1] - 1
    count = len(scenery.item_model) + 1
    seen, of, pixels = torch.unique(view * count + item, return_inverse=True, return_counts=True)
    low = torch.full((len(seen), 2), 1 << 30, device=device)
    high = torch.zeros(len(seen), 2, dtype=torch.int64, device=device)
    corner = torch.stack([column, row], 1)
    low.scatter_reduce_(0, of[:, None].expand(-1, 2), corner, "amin")
    high.scatter_reduce_(0, of[:, None].expand(-1, 2), corner + 1, "amax")
    own_view, own_item = seen // count, seen % count
    rank = torch.arange(len(seen), device=device) - torch.searchsorted(own_view, own_view)
    kept = rank < most
    at = (own_view[kept], rank[kept])
    own_world = own_view // cameras
    row_of = scenery.item_first.to(device)[world.map_index[own_world].long()].long() + own_item
    detail = scenery.item_detail.to(device)[row_of].long()
    # The class of the item's pixels, all of which are alike.
    kind = torch.zeros(len(seen), dtype=torch.uint8, device=device)
    kind[of] = truth.semantic.flatten(0, 1)[view, row, column]
    groups = state.signal_phase.shape[1]
    phase = state.signal_phase[own_world, detail.clamp(0, groups - 1)].long()
    shows = torch.where(kind == Semantic.TRAFFIC_LIGHT, phase, detail)

    def padded(values: torch.Tensor, *shape: int) -> torch.Tensor:
        result = torch.zeros(views, most, *shape, dtype=values.dtype, device=device)
        result[at] = values[kept]
        return result.unflatten(0, (worlds, cameras))

    return RoadsideBoxes(
        item=padded(own_item.int()),
        semantic=padded(kind),
        shows=padded(shows.int()),
        visible_px=padded(torch.cat([low, high], 1).float(), 4),
        visible_pixels=padded(pixels.int()),
        valid=padded(torch.ones(len(seen), dtype=torch.bool, device=device)),
    )
