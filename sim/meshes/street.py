"""Which models stand beside the road: their numbers, who builds them and what labels call them."""

from collections.abc import Callable
from enum import IntEnum
from functools import partial

from sim.meshes import houses, plants, roadside
from sim.meshes.sculpt import Material, Mesh
from sim.types import Semantic


class Street(IntEnum):
    """Models that stand still, beyond those of `library.Model`."""

    OAK = 300
    MAPLE = 301
    BIRCH = 302
    PINE = 303
    HEDGE = 304
    TUFT = 305
    WOOD_EDGE = 306
    FAR_WOOD = 307
    FAR_TOWN = 308
    TOWN_HOUSE = 310  # and the next ones: kinds of TOWN_HOUSES
    FLATS = 320  # and the next ones: FLAT_FLOORS
    OFFICES = 325  # and the next one
    VILLA = 328
    VILLA_HIPPED = 329
    BARN = 330
    HALL = 331
    PETROL_STATION = 332
    CHURCH = 333
    FACE_ROUND = 340
    FACE_OCTAGON = 341
    FACE_TRIANGLE = 342
    FACE_YIELD = 343
    FACE_SQUARE = 344
    FACE_DIAMOND = 345
    POST = 346
    GANTRY = 347
    SIGNAL_HEAD = 348
    WALK_HEAD = 349
    SIGNAL_POST = 350
    MAST_ARM = 351
    DOUBLE_LAMP = 352
    PARK_LAMP = 353
    UTILITY_POLE = 354
    WIRES = 355
    PICKET_FENCE = 356
    FIELD_FENCE = 357
    BAR_FENCE = 358
    GARDEN_WALL = 359
    NOISE_BARRIER = 360
    CONCRETE_BARRIER = 361
    BOLLARD = 362
    BIN = 363
    BENCH = 364
    BUS_SHELTER = 365
    MAIL_BOX = 366
    CABINET = 367
    BILLBOARD = 368
    CONE = 369
    BARRIER = 370
    PARKED_BICYCLE = 371
    KERB_ISLAND = 372
    PLAIN_WALL = 373
    PLAIN_BUILDING = 374
    PLAIN_BOX = 375
    PLAIN_POLE = 376
    DECK = 380  # of bridges: what is driven on
    GIRDER = 381  # and what carries and guards it


# (storeys, width in m, shop below, mansard roof); each is 11 m deep
TOWN_HOUSES = (
    (3, 7.5, False, False), (3, 9.0, True, False), (4, 9.0, True, True), (4, 12.0, False, True),
    (2, 7.5, False, False), (5, 12.0, True, True), (3, 12.0, True, False), (4, 7.5, False, False),
)  # fmt: skip
FLAT_SIZES = ((4, 18.0, 12.0), (5, 21.0, 12.0), (6, 24.0, 13.0), (8, 18.0, 15.0), (11, 21.0, 15.0))
OFFICE_SIZES = ((6, 24.0, 16.0), (10, 27.0, 18.0))

Maker = Callable[[int], Mesh]
_BUILDINGS: dict[int, Maker] = {
    **{Street.TOWN_HOUSE + k: partial(houses.town_house, *kind) for k, kind in enumerate(TOWN_HOUSES)},
    **{Street.FLATS + k: partial(houses.flats, *kind) for k, kind in enumerate(FLAT_SIZES)},
    **{Street.OFFICES + k: partial(houses.offices, *kind) for k, kind in enumerate(OFFICE_SIZES)},
    Street.VILLA: partial(houses.villa, False),
    Street.VILLA_HIPPED: partial(houses.villa, True),
    Street.BARN: houses.barn,
    Street.HALL: houses.hall,
    Street.PETROL_STATION: houses.petrol_station,
    Street.CHURCH: houses.church,
    Street.FAR_TOWN: plants.far_town,
    Street.PLAIN_BUILDING: partial(roadside.box, Material.FACADE),
}
_PLANTS: dict[int, Maker] = {
    Street.OAK: plants.oak,
    Street.MAPLE: plants.maple,
    Street.BIRCH: plants.birch,
    Street.PINE: plants.pine,
    Street.HEDGE: plants.hedge,
    Street.TUFT: plants.tuft,
    Street.WOOD_EDGE: plants.wood_edge,
    Street.FAR_WOOD: plants.far_wood,
}
_FACES: dict[int, Maker] = {
    Street.FACE_ROUND: partial(roadside.sign_face, "round"),
    Street.FACE_OCTAGON: partial(roadside.sign_face, "octagon"),
    Street.FACE_TRIANGLE: partial(roadside.sign_face, "triangle"),
    Street.FACE_YIELD: partial(roadside.sign_face, "yield"),
    Street.FACE_SQUARE: partial(roadside.sign_face, "square"),
    Street.FACE_DIAMOND: partial(roadside.sign_face, "diamond"),
}
_THINGS: dict[int, tuple[Maker, Semantic]] = {
    Street.POST: (roadside.post, Semantic.POLE),
    Street.GANTRY: (roadside.gantry, Semantic.POLE),
    Street.SIGNAL_HEAD: (roadside.signal_head, Semantic.TRAFFIC_LIGHT),
    Street.WALK_HEAD: (roadside.walk_head, Semantic.TRAFFIC_LIGHT),
    Street.SIGNAL_POST: (roadside.signal_post, Semantic.POLE),
    Street.MAST_ARM: (roadside.mast_arm, Semantic.POLE),
    Street.DOUBLE_LAMP: (roadside.double_lamp, Semantic.POLE),
    Street.PARK_LAMP: (roadside.park_lamp, Semantic.POLE),
    Street.UTILITY_POLE: (roadside.utility_pole, Semantic.POLE),
    Street.WIRES: (roadside.wires, Semantic.UNLABELED),
    Street.PICKET_FENCE: (roadside.picket_fence, Semantic.FENCE),
    Street.FIELD_FENCE: (roadside.field_fence, Semantic.FENCE),
    Street.BAR_FENCE: (roadside.bar_fence, Semantic.FENCE),
    Street.GARDEN_WALL: (roadside.garden_wall, Semantic.WALL),
    Street.NOISE_BARRIER: (roadside.noise_barrier, Semantic.WALL),
    Street.CONCRETE_BARRIER: (roadside.concrete_barrier, Semantic.WALL),
    Street.BOLLARD: (roadside.bollard, Semantic.POLE),
    Street.BIN: (roadside.bin, Semantic.STATIC),
    Street.BENCH: (roadside.bench, Semantic.STATIC),
    Street.BUS_SHELTER: (roadside.bus_shelter, Semantic.BUILDING),
    Street.MAIL_BOX: (roadside.mail_box, Semantic.STATIC),
    Street.CABINET: (roadside.cabinet, Semantic.STATIC),
    Street.BILLBOARD: (roadside.billboard, Semantic.STATIC),
    Street.CONE: (roadside.cone, Semantic.DYNAMIC),
    Street.BARRIER: (roadside.barrier, Semantic.DYNAMIC),
    Street.PARKED_BICYCLE: (roadside.parked_bicycle, Semantic.BICYCLE),
    Street.KERB_ISLAND: (roadside.kerb_island, Semantic.SIDEWALK),
    Street.PLAIN_WALL: (partial(roadside.box, Material.CONCRETE), Semantic.WALL),
    Street.PLAIN_BOX: (partial(roadside.box, Material.SIGN_BACK), Semantic.STATIC),
    Street.PLAIN_POLE: (roadside.post, Semantic.POLE),
    Street.DECK: (partial(roadside.box, Material.ROADWAY), Semantic.ROAD),
    Street.GIRDER: (partial(roadside.box, Material.CONCRETE), Semantic.BRIDGE),
}

MAKERS: dict[int, Maker] = _BUILDINGS | _PLANTS | _FACES | {model: maker for model, (maker, _) in _THINGS.items()}
SEMANTIC: dict[int, Semantic] = (
    dict.fromkeys(_BUILDINGS, Semantic.BUILDING)
    | dict.fromkeys(_PLANTS, Semantic.VEGETATION)
    | dict.fromkeys(_FACES, Semantic.TRAFFIC_SIGN)
    | {model: semantic for model, (_, semantic) in _THINGS.items()}
)
