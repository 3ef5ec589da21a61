"""How cameras expose what they see: longer in the shade of houses. Places on the ground are metered, not pixels."""

import warp as wp

from sim.render_kernels.house_shade import shade_at, sun_of, sunlit
from sim.render_kernels.terrain import Ground
from sim.render_kernels.view import Views

wp.set_module_options({"enable_backward": False})

ROWS = wp.constant(5)  # of three places each
FIRST_M = wp.constant(5.0)  # from the camera to the nearest
FARTHER = wp.constant(1.6)  # each row than the one before
ASIDE = wp.constant(0.6)  # of the way ahead
ADAPTED = wp.constant(0.5)  # how far cameras follow the light, as an exponent


@wp.kernel
def meter_views(
    # World
    map_index: wp.array(dtype=wp.int32),
    # In
    views: Views,
    ground: Ground,
    weather: wp.array2d(dtype=wp.float32),
    # Out
    gain_out: wp.array(dtype=wp.float32),
):
    """How much more each view is exposed than one in the sun: ROWS x 3 places on the ground ahead tell."""
    view = wp.tid()
    world = view // views.cameras
    sun = sun_of(weather, world)
    eye = views.eye[view]
    turn = views.camera_from_world[view]
    ahead = wp.normalize(wp.vec2(turn[2, 0], turn[2, 1]) + wp.vec2(1.0e-6, 0.0))
    lit = float(0.0)
    away = float(FIRST_M)
    for _row in range(ROWS):
        for column in range(3):
            aside = ASIDE * away * float(column - 1)
            x = eye[0] + away * ahead[0] - aside * ahead[1]
            y = eye[1] + away * ahead[1] + aside * ahead[0]
            lit += sunlit(0.0, shade_at(ground, map_index[world], sun, x, y))
        away *= FARTHER
    direct = wp.max(sun[2], 0.0) * weather[world, 3]
    sky = weather[world, 6]
    seen = sky + direct * lit / float(3 * ROWS)
    gain_out[view] = wp.pow((sky + direct) / wp.max(seen, 1.0e-6), ADAPTED)
