"""What optics and electronics do to a finished picture, in bytes of display light; labels are not seen here."""

import warp as wp

from sim.render_kernels.appearance import HASH_A, HASH_B, HASH_C

wp.set_module_options({"enable_backward": False})

CELL = wp.constant(8)  # pixels of a picture to a cell of the glare and dirt images, each way
BRIGHT = wp.constant(205)  # what is brighter scatters visibly
MOST_TAPS = wp.constant(7)
NOISE_MASK = wp.constant((1 << 16) - 1)  # the noise table is three numbers longer


@wp.struct
class Optics:
    vignetting: wp.float32  # of display light, in the corners
    chromatic_px: wp.float32  # in the corners
    edge: wp.float32  # weight of the difference to the neighbours: < 0 soft, > 0 sharpened
    saturation: wp.float32
    glare: wp.float32
    dirt: wp.float32


@wp.func
def bytes_of(rgb: wp.vec3ub):
    return wp.vec3(float(rgb[0]), float(rgb[1]), float(rgb[2]))


@wp.func
def byte_of(x: wp.float32):
    return wp.clamp(int(x + 0.5), 0, 255)


@wp.func
def noise_bits(key: wp.uint32, at: wp.uint32):
    """32 bits that look random in both arguments."""
    x = at * HASH_A + key
    x = (x ^ (x >> wp.uint32(16))) * wp.uint32(0x7FEB352D)
    x = (x ^ (x >> wp.uint32(15))) * HASH_C
    return x ^ (x >> wp.uint32(16))


@wp.func
def stream_key(seed: wp.int64, tick: wp.int64, camera: wp.int32, stream: wp.int32):
    low = wp.uint32(seed & wp.int64(0xFFFFFFFF))
    high = wp.uint32((seed >> wp.int64(32)) & wp.int64(0xFFFFFFFF))
    moment = wp.uint32(tick & wp.int64(0xFFFFFFFF))
    return noise_bits(noise_bits(noise_bits(low, high * HASH_B), moment), wp.uint32(camera * 64 + stream))


@wp.func
def image_velocity(x: wp.float32, y: wp.float32, depth: wp.float32, go: wp.vec3, roll: wp.vec3):
    """How fast what stands still moves in the picture, in focal lengths a second; a point p goes by -go - roll x p."""
    near = 1.0 / depth
    px = -go[0] * near - (roll[1] - roll[2] * y)
    py = -go[1] * near - (roll[2] * x - roll[0])
    pz = -go[2] * near - (roll[0] * y - roll[1] * x)
    return wp.vec2(px - x * pz, py - y * pz)


@wp.func
def between_pixels(rgb: wp.array(dtype=wp.vec3ub), first: wp.int32, height: wp.int32, width: wp.int32, u: wp.float32,
                   v: wp.float32):  # fmt: skip
    """Colour at a point of a picture, between its four pixels."""
    x = wp.clamp(u - 0.5, 0.0, float(width - 1))
    y = wp.clamp(v - 0.5, 0.0, float(height - 1))
    left = wp.min(int(x), width - 2)
    top = wp.min(int(y), height - 2)
    fx = x - float(left)
    fy = y - float(top)
    at = first + top * width + left
    upper = bytes_of(rgb[at]) * (1.0 - fx) + bytes_of(rgb[at + 1]) * fx
    lower = bytes_of(rgb[at + width]) * (1.0 - fx) + bytes_of(rgb[at + width + 1]) * fx
    return upper * (1.0 - fy) + lower * fy


@wp.kernel
def blur_motion(
    # State
    speed_mps: wp.array(dtype=wp.float32),
    yaw_rate_radps: wp.array(dtype=wp.float32),
    # In
    rgb: wp.array(dtype=wp.vec3ub),
    depth: wp.array(dtype=wp.float32),
    ego_from_camera: wp.array(dtype=wp.mat44),
    focal_px: wp.array(dtype=wp.float32),
    center_px: wp.array(dtype=wp.vec2),
    exposure_s: wp.array(dtype=wp.float32),
    readout_s: wp.float32,
    height: wp.int32,
    width: wp.int32,
    # Out
    rgb_out: wp.array(dtype=wp.vec3ub),
):
    """Spread each pixel along its way during the exposure, as the ego's own motion moves what stands still.

    Rows are exposed one after the other during `readout_s`, the middle one at the tick: each shows what was, or will
    be, there at its own time.
    """
    view, row = wp.tid()
    cameras = focal_px.shape[0]
    camera = view % cameras
    world = view // cameras
    pose = ego_from_camera[camera]
    turn = wp.mat33(
        pose[0, 0], pose[0, 1], pose[0, 2], pose[1, 0], pose[1, 1], pose[1, 2], pose[2, 0], pose[2, 1], pose[2, 2]
    )
    spin = wp.vec3(0.0, 0.0, yaw_rate_radps[world])
    moves = wp.vec3(speed_mps[world], 0.0, 0.0) + wp.cross(spin, wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3]))
    go = wp.transpose(turn) * moves
    roll = wp.transpose(turn) * spin
    focal = focal_px[camera]
    center = center_px[camera]
    first = view * height * width
    here = first + row * width
    late_s = readout_s * ((float(row) + 0.5) / float(height) - 0.5)
    for column in range(width):
        u = float(column) + 0.5
        v = float(row) + 0.5
        speed = image_velocity((u - center[0]) / focal, (v - center[1]) / focal, depth[here + column], go, roll) * focal
        if late_s != 0.0:
            # What is here at the row's time is elsewhere at the tick; its own speed counts, by what is found there.
            for _step in range(2):
                i = wp.clamp(int(float(column) + 0.5 - speed[0] * late_s), 0, width - 1)
                j = wp.clamp(int(float(row) + 0.5 - speed[1] * late_s), 0, height - 1)
                x = (float(i) + 0.5 - center[0]) / focal
                y = (float(j) + 0.5 - center[1]) / focal
                speed = image_velocity(x, y, depth[first + j * width + i], go, roll) * focal
            u -= speed[0] * late_s
            v -= speed[1] * late_s
        du = speed[0] * exposure_s[world]
        dv = speed[1] * exposure_s[world]
        taps = wp.clamp(int(wp.max(wp.abs(du), wp.abs(dv)) + 0.75), 1, MOST_TAPS)
        if taps < 2 and late_s == 0.0:
            rgb_out[here + column] = rgb[here + column]
            continue
        total = wp.vec3(0.0, 0.0, 0.0)
        share = 1.0 / float(taps)
        for tap in range(taps):
            away = (float(tap) + 0.5) * share - 0.5
            if late_s != 0.0:
                total += between_pixels(rgb, first, height, width, u + du * away, v + dv * away)
            else:
                i = wp.clamp(int(wp.floor(u + du * away)), 0, width - 1)
                j = wp.clamp(int(wp.floor(v + dv * away)), 0, height - 1)
                total += bytes_of(rgb[first + j * width + i])
        total *= share
        rgb_out[here + column] = wp.vec3ub(
            wp.uint8(byte_of(total[0])), wp.uint8(byte_of(total[1])), wp.uint8(byte_of(total[2]))
        )


@wp.kernel
def gather_light(
    # In
    rgb: wp.array(dtype=wp.vec3ub),
    height: wp.int32,
    width: wp.int32,
    # Out
    bright_out: wp.array3d(dtype=wp.vec3),
    total_out: wp.array2d(dtype=wp.int64),
):
    """Per cell of CELL x CELL pixels, the mean of what is bright in it; per view, the sums of all channels.

    Sixteen pixels stand for a cell.
    """
    view, cell_row = wp.tid()
    sum_red = int(0)
    sum_green = int(0)
    sum_blue = int(0)
    for cell in range(bright_out.shape[2]):
        light = wp.vec3(0.0, 0.0, 0.0)
        for k in range(16):
            row = wp.min(cell_row * CELL + 2 * (k // 4) + (k & 1), height - 1)
            pixel = rgb[(view * height + row) * width + wp.min(cell * CELL + 2 * (k % 4), width - 1)]
            red = int(pixel[0])
            green = int(pixel[1])
            blue = int(pixel[2])
            sum_red += red
            sum_green += green
            sum_blue += blue
            over = wp.max(red, wp.max(green, blue)) - BRIGHT
            if over > 0:
                light += bytes_of(pixel) * (float(over) * (1.0 / float(255 - BRIGHT)))
        bright_out[view, cell_row, cell] = light * (1.0 / 16.0)
    wp.atomic_add(total_out, view, 0, wp.int64(sum_red))
    wp.atomic_add(total_out, view, 1, wp.int64(sum_green))
    wp.atomic_add(total_out, view, 2, wp.int64(sum_blue))


@wp.kernel
def smear(
    # In
    light: wp.array3d(dtype=wp.vec3),
    weight: wp.array(dtype=wp.float32),
    strength: wp.array(dtype=wp.float32),
    cameras: wp.int32,
    down: wp.int32,
    across: wp.int32,
    # Out
    light_out: wp.array3d(dtype=wp.vec3),
):
    """One of the two passes that scatter light over cells, by `weight` on both sides, times each world's strength."""
    view, row = wp.tid()
    reach = weight.shape[0] - 1
    for column in range(light.shape[2]):
        total = light[view, row, column] * weight[0]
        for k in range(1, reach + 1):
            total += weight[k] * (
                light[view, wp.max(row - k * down, 0), wp.max(column - k * across, 0)]
                + light[
                    view, wp.min(row + k * down, light.shape[1] - 1), wp.min(column + k * across, light.shape[2] - 1)
                ]
            )
        light_out[view, row, column] = total * strength[view // cameras]


@wp.kernel
def expose(
    # World
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    rgb: wp.array(dtype=wp.vec3ub),
    glow: wp.array3d(dtype=wp.vec3),
    dirt: wp.array3d(dtype=wp.float32),
    curve: wp.array(dtype=wp.float32),
    deviation: wp.array(dtype=wp.float32),
    noise: wp.array(dtype=wp.float32),
    optics: Optics,
    cameras: wp.int32,
    height: wp.int32,
    width: wp.int32,
    # Out
    rgb_out: wp.array(dtype=wp.vec3ub),
):
    """One thread per view and row: lens, exposure curve, glare, dirt, colour and noise. Pictures lie flat, row by row.

    Each row reads the noise table from a place of its own.
    """
    view, row = wp.tid()
    camera = view % cameras
    world = view // cameras
    here = (view * height + row) * width
    above = (view * height + wp.max(row - 1, 0)) * width
    below = (view * height + wp.min(row + 1, height - 1)) * width
    start = int(noise_bits(stream_key(seed[world], tick[world], camera, 0), wp.uint32(row)) & wp.uint32(NOISE_MASK))
    tone = view * 768
    reach = 4.0 / float(width * width + height * height)
    v = float(row) + 0.5 - 0.5 * float(height)
    fringe = 0.5 * optics.chromatic_px * wp.sqrt(reach)
    sy = fringe * v
    dark_v = 1.0 - optics.vignetting * reach * v * v
    dark_u = optics.vignetting * reach
    edge = optics.edge
    keep = 1.0 + edge
    quarter = -0.25 * edge
    # Rows of cells above and below the pixel's middle.
    at = wp.clamp((float(row) + 0.5) / float(CELL) - 0.5, 0.0, float(glow.shape[1] - 1))
    upper_cell = wp.min(int(at), wp.max(glow.shape[1] - 2, 0))
    lower_cell = wp.min(upper_cell + 1, glow.shape[1] - 1)
    share = at - float(upper_cell)
    light = wp.vec3(0.0, 0.0, 0.0)
    light_step = wp.vec3(0.0, 0.0, 0.0)
    film = float(0.0)
    film_step = float(0.0)
    left = bytes_of(rgb[here])
    middle = left
    u = 0.5 - 0.5 * float(width)
    for column in range(width):
        if (column + CELL // 2) % CELL == 0 or column == 0:
            cell = wp.max((column + CELL // 2) // CELL - 1, 0)
            following = wp.min((column + CELL // 2) // CELL, glow.shape[2] - 1)
            light = (glow[view, upper_cell, cell] * (1.0 - share) + glow[view, lower_cell, cell] * share) * optics.glare
            after = glow[view, upper_cell, following] * (1.0 - share) + glow[view, lower_cell, following] * share
            light_step = (after * optics.glare - light) * (1.0 / float(CELL))
            film = (
                dirt[camera, upper_cell, cell] * (1.0 - share) + dirt[camera, lower_cell, cell] * share
            ) * optics.dirt
            after_film = dirt[camera, upper_cell, following] * (1.0 - share)
            after_film += dirt[camera, lower_cell, following] * share
            film_step = (after_film * optics.dirt - film) * (1.0 / float(CELL))
        right = bytes_of(rgb[here + wp.min(column + 1, width - 1)])
        upper = bytes_of(rgb[above + column])
        lower = bytes_of(rgb[below + column])
        seen = middle * keep + (upper + lower + left + right) * quarter
        # Red and blue are moved by a fraction of a pixel along their gradients.
        sx = fringe * u
        red = seen[0] - sx * (right[0] - left[0]) - sy * (lower[0] - upper[0])
        blue = seen[2] + sx * (right[2] - left[2]) + sy * (lower[2] - upper[2])
        dark = dark_v - dark_u * u * u
        red = curve[tone + byte_of(red * dark + light[0])]
        green = curve[tone + 256 + byte_of(seen[1] * dark + light[1])]
        blue = curve[tone + 512 + byte_of(blue * dark + light[2])]
        grey = 0.299 * red + 0.587 * green + 0.114 * blue
        spread = deviation[wp.min(int(grey), 255) + 256 * world]
        grey *= 1.0 - optics.saturation
        clean = 1.0 - film
        dice = (start + 3 * column) & NOISE_MASK
        red = (grey + optics.saturation * red) * clean + film * 118.0 + spread * noise[dice]
        green = (grey + optics.saturation * green) * clean + film * 112.0 + spread * noise[dice + 1]
        blue = (grey + optics.saturation * blue) * clean + film * 102.0 + spread * noise[dice + 2]
        rgb_out[here + column] = wp.vec3ub(wp.uint8(byte_of(red)), wp.uint8(byte_of(green)), wp.uint8(byte_of(blue)))
        left = middle
        middle = right
        light += light_step
        film += film_step
        u += 1.0


@wp.kernel
def wet_lens(
    # World
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    rgb: wp.array4d(dtype=wp.uint8),
    wetness: wp.array(dtype=wp.float32),
    cameras: wp.int32,
    drops: wp.int32,
    life: wp.int32,
    # Out
    rgb_out: wp.array4d(dtype=wp.uint8),
):
    """Drops on the glass in front of the camera: each shows the scene upside down and small, dark at its lower rim.

    A thread draws its row of all drops in turn. A drop stays for `life` ticks; then another one lands elsewhere.
    """
    view, row = wp.tid()
    camera = view % cameras
    world = view // cameras
    height = rgb.shape[1]
    width = rgb.shape[2]
    count = int(wetness[world] * float(drops) + 0.5)
    for drop in range(count):
        phase = noise_bits(wp.uint32(drop), HASH_A) % wp.uint32(life)
        turn = (tick[world] + wp.int64(phase)) // wp.int64(life)
        key = stream_key(seed[world], turn, camera, 1)
        bits = noise_bits(key, wp.uint32(drop))
        more = noise_bits(bits, HASH_C)
        size = float(bits & wp.uint32(255)) / 255.0
        radius = float(width) * (0.004 + 0.020 * size * size)
        x = float((bits >> wp.uint32(8)) & wp.uint32(4095)) / 4095.0 * float(width)
        y = float(more & wp.uint32(4095)) / 4095.0 * float(height)
        dv = (float(row) + 0.5 - y) / (1.15 * radius)
        if wp.abs(dv) >= 1.0:
            continue
        half = radius * wp.sqrt(1.0 - dv * dv)
        for column in range(wp.max(int(x - half), 0), wp.min(int(x + half) + 1, width)):
            du = (float(column) + 0.5 - x) / radius
            inner = 1.0 - du * du - dv * dv
            if inner <= 0.0:
                continue
            # The drop's picture of the scene: turned around, much of the field in it.
            i = wp.clamp(int(x - du * radius * 7.0), 0, width - 1)
            j = wp.clamp(int(y - dv * radius * 7.0), 0, height - 1)
            cover = wp.min(inner * 2.2, 1.0) * 0.85
            tone = 0.86 + 0.26 * dv * wp.sqrt(wp.max(1.0 - inner, 0.0))
            for channel in range(3):
                old = float(rgb_out[view, row, column, channel])
                new = 0.5 * (float(rgb[view, j, i, channel]) + float(rgb[view, row, column, channel])) * tone
                rgb_out[view, row, column, channel] = wp.uint8(wp.clamp(int(old + cover * (new - old) + 0.5), 0, 255))
