"""The light from a pack of points of the ground: kerbs, what the footprints cover, paint, and what lights them."""

import warp as wp

from sim.render_kernels.appearance import Images, Light, log2_of, mix, sample
from sim.render_kernels.packs import PACK, Colours, Floats, Ints, Points, Shot
from sim.render_kernels.paving import (
    CLASS_MASK,
    DECAL_FLAG,
    FINE_M,
    GROUND_RANGE_M,
    MARKING_RANGE_M,
    MOST_TAPS,
    TAP_M,
    Place,
    Site,
    decals_at,
    kerb_stone,
    lane_at,
    mirrored,
    noise_at,
    place_of,
    tap_at,
    verge_at,
    walk_at,
    walk_of,
)
from sim.render_kernels.terrain import (
    EDGE_FLAG,
    FAR_FLAG,
    Ground,
    cell_of,
    code_at,
    kerb_normal,
    kerb_share,
    normal_on,
    step_on,
)

# Few loops are unrolled: those over a pack shall become vector instructions.
wp.set_module_options({"enable_backward": False, "max_unroll": 5})

Tints = wp.types.vector(length=4 * PACK, dtype=wp.float32)  # four rows: colour times share, and share


@wp.func
def ground_light(images: Images, ground: Ground, site: Site, light: Light, shot: Shot, points: Points):
    """Light from the ground at a pack of points, kerbs included."""
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    depth = points.depth
    step = points.step
    dark = points.dark
    under = points.under
    lamp = points.lamp
    pool = points.pool
    scene = shot.scene
    plot = site.plot

    # Where the rays end, walks raised.
    low = Floats()
    high = Floats()
    shift = Floats()
    for i in range(PACK):
        rise = step_on(ground, plot, shot.eye, wp.vec3(ray_x[i], ray_y[i], ray_z[i]), depth[i])
        depth[i] = rise.depth
        low[i] = rise.low_m
        high[i] = rise.high_m
        shift[i] = rise.shift_m

    # Footprints, each spanned by two vectors in the plane of the ground.
    x = Floats()
    y = Floats()
    ax = Floats()
    ay = Floats()
    bx = Floats()
    by = Floats()
    wide = Floats()
    long = Floats()
    kerb = Floats()
    sun = Floats()
    taps = Ints()
    up_x = Floats()
    up_y = Floats()
    up_z = Floats()
    for i in range(PACK):
        x[i] = shot.eye[0] + depth[i] * ray_x[i]
        y[i] = shot.eye[1] + depth[i] * ray_y[i]
        up_z[i] = 1.0
    if not plot.flat:
        for i in range(PACK):
            normal = normal_on(ground, plot, x[i], y[i])
            up_x[i] = normal[0]
            up_y[i] = normal[1]
            up_z[i] = normal[2]
    for i in range(PACK):
        toward = wp.vec3(ray_x[i], ray_y[i], ray_z[i])
        texel_m = depth[i] * step[i] * shot.pixel
        up = wp.vec3(up_x[i], up_y[i], up_z[i])
        inverse = texel_m / wp.min(wp.dot(up, toward), -0.002)
        slide = wp.dot(up, shot.right) * inverse
        ax[i] = shot.right[0] * texel_m - toward[0] * slide
        ay[i] = shot.right[1] * texel_m - toward[1] * slide
        slide = wp.dot(up, shot.down) * inverse
        bx[i] = shot.down[0] * texel_m - toward[0] * slide
        by[i] = shot.down[1] * texel_m - toward[1] * slide
        wide[i] = wp.sqrt(ax[i] * ax[i] + ay[i] * ay[i])
        long[i] = wp.sqrt(bx[i] * bx[i] + by[i] * by[i])
        kerb[i] = kerb_share(low[i], high[i], shift[i], wide[i], long[i])
        sun[i] = wp.max(wp.dot(up, light.sun), 0.0) * wp.where(light.sun[2] > 0.0, 1.0, 0.0)
        taps[i] = wp.where(depth[i] * length[i] > GROUND_RANGE_M, 0, wp.clamp(int(long[i] / TAP_M) + 1, 1, MOST_TAPS))

    # Asphalt, whose grain and stains also tell where paint is worn and water stands.
    code = Ints()
    noise = Floats()
    grain = Floats()
    red = Floats()
    green = Floats()
    blue = Floats()
    for i in range(PACK):
        code[i] = code_at(ground, plot, x[i], y[i])
        noise[i] = noise_at(ground.noise, x[i], y[i], wp.max(wide[i], 0.35 * long[i]))
    fine = int(0)
    for i in range(PACK):
        hard = (code[i] & (CLASS_MASK | EDGE_FLAG)) != 0
        fine = fine | wp.where(wp.max(wide[i], 0.35 * long[i]) < FINE_M and hard, 1, 0)
        grain[i] = 1.0
        red[i] = site.asphalt[0]
        green[i] = site.asphalt[1]
        blue[i] = site.asphalt[2]
    if fine != 0:
        for i in range(PACK):
            footprint = wp.max(wide[i], 0.35 * long[i])
            level = log2_of(wp.max(footprint, 1.0e-4)) + float(images.asphalt_log2) - 1.32
            rgb = sample(
                images.texel, images.asphalt_first, images.asphalt_log2, shot.variant, x[i] / 2.5, y[i] / 2.5, level
            )
            seen = footprint < FINE_M and (code[i] & (CLASS_MASK | EDGE_FLAG)) != 0
            red[i] = wp.where(seen, rgb[0], red[i])
            green[i] = wp.where(seen, rgb[1], green[i])
            blue[i] = wp.where(seen, rgb[2], blue[i])
            grain[i] = green[i] / (site.asphalt[1] + 1.0e-4)

    # Shares of what the footprints cover, tap by tap; then paint and patches, which few points see.
    road = Floats()
    side = Floats()
    stone = Floats()
    gutter = Floats()
    gravel = Floats()
    below = Tints()
    paint = Tints()
    most = int(0)
    for i in range(PACK):
        most = wp.max(most, taps[i])
    for tap in range(most):
        cell = Ints()
        for i in range(PACK):
            cell[i] = -1
            if tap < taps[i]:
                share = 1.0 / float(taps[i])
                at = (float(tap) + 0.5) * share - 0.5
                px = x[i] + bx[i] * at
                py = y[i] + by[i] * at
                soft = wp.max(wide[i], long[i] * share * 0.3) + 0.01
                gravel_m = site.gravel_m * (1.0 + 0.0135 * noise[i])
                there = cell_of(plot, px, py)
                on = wp.where(there < 0, FAR_FLAG, ground.code[wp.max(there, 0)])
                cover = tap_at(ground, plot, on, px, py, soft, gravel_m)
                road[i] = road[i] + cover.road * share
                side[i] = side[i] + cover.side * share
                stone[i] = stone[i] + cover.stone * share
                gutter[i] = gutter[i] + cover.gutter * share
                gravel[i] = gravel[i] + cover.gravel * share
                marked = (on & DECAL_FLAG) != 0 and depth[i] * length[i] < MARKING_RANGE_M
                cell[i] = wp.where(cover.road > 0.0 and marked, there, -1)
        for i in range(PACK):
            if cell[i] >= 0:
                share = 1.0 / float(taps[i])
                at = (float(tap) + 0.5) * share - 0.5
                under_rgb, over_rgb = decals_at(
                    ground, scene, cell[i] + scene, x[i] + bx[i] * at, y[i] + by[i] * at, wp.vec2(ax[i], ay[i]),
                    wp.vec2(bx[i], by[i]) * share, 0.45 * noise[i] + 1.6 * (grain[i] - 1.0),
                )  # fmt: skip
                for k in range(4):
                    below[PACK * k + i] = below[PACK * k + i] + under_rgb[k] * share
                    paint[PACK * k + i] = paint[PACK * k + i] + over_rgb[k] * share

    # Verges and walks, where any point sees some.
    verges = int(0)
    walks = int(0)
    kerbs = int(0)
    for i in range(PACK):
        verges = verges | wp.where(road[i] + side[i] < 0.999, 1, 0)
        walks = walks | wp.where(side[i] > 0.0, 1, 0)
        kerbs = kerbs | wp.where(kerb[i] > 0.01, 1, 0)
    out = Colours()
    albedo_r = Floats()
    albedo_g = Floats()
    albedo_b = Floats()
    mirror = Floats()
    if verges != 0:
        for i in range(PACK):
            footprint = wp.max(wide[i], 0.35 * long[i])
            level = log2_of(wp.max(footprint, 1.0e-4)) + float(images.grass_log2) - 1.585
            grass = sample(
                images.texel, images.grass_first, images.grass_log2, shot.variant, x[i] / 3.0, y[i] / 3.0, level
            )
            grass = mix(grass, site.grass, wp.where(footprint < FINE_M, 0.0, 1.0))
            loose = wp.clamp(gravel[i], 0.0, 1.0) / (1.0 - wp.min(road[i], 0.99))
            rgb = verge_at(site, light, code[i], grass, noise[i], grain[i], loose, x[i], y[i])
            albedo_r[i] = rgb[0]
            albedo_g[i] = rgb[1]
            albedo_b[i] = rgb[2]
    # Where in its lane each point is.
    lanes_first = ground.lane_first[scene]
    along_lane = Floats()
    across_lane = Floats()
    tone = Floats()
    track = Floats()
    rut = Floats()
    mixed = Floats()
    for i in range(PACK):
        place = place_of(ground, lanes_first, code[i], x[i], y[i], wide[i])
        along_lane[i] = place.s
        across_lane[i] = place.d
        tone[i] = place.tone
        track[i] = place.track
        rut[i] = place.rut
        mixed[i] = place.mixed
    wet = light.wet
    if walks != 0:
        walk = walk_of(site)
        for i in range(PACK):
            bright = walk_at(walk, grain[i], along_lane[i], across_lane[i], wp.max(wide[i], 0.35 * long[i]))
            rgb = walk.colour * (bright * (1.0 + 0.009 * noise[i]) * (1.0 - 0.40 * wet))
            snowed = wp.clamp(2.2 * light.snow - 0.4 + 0.12 * noise[i], 0.0, 1.0)
            rgb = mix(rgb, wp.vec3(0.72, 0.74, 0.78), snowed)
            part = side[i] / (1.0 - road[i] + 1.0e-4)
            albedo_r[i] = albedo_r[i] + (rgb[0] - albedo_r[i]) * part
            albedo_g[i] = albedo_g[i] + (rgb[1] - albedo_g[i]) * part
            albedo_b[i] = albedo_b[i] + (rgb[2] - albedo_b[i]) * part
            mirror[i] = side[i] * 0.45 * wet * (1.0 - snowed)
    for i in range(PACK):
        place = Place()
        place.d = across_lane[i]
        place.track = track[i]
        place.rut = rut[i]
        place.mixed = mixed[i]
        bright = site.tint * tone[i] * (1.0 + 0.045 * noise[i])
        rgb = wp.vec3(red[i] * (1.0 + 0.05 * site.warm), green[i], blue[i] * (1.0 - 0.06 * site.warm)) * bright
        part = 1.0 / wp.max(road[i], 1.0e-6)
        paved = lane_at(
            light, rgb, site.warm, noise[i], grain[i], place, gutter[i],
            wp.vec4(below[i], below[PACK + i], below[2 * PACK + i], below[3 * PACK + i]) * part,
            wp.vec4(paint[i], paint[PACK + i], paint[2 * PACK + i], paint[3 * PACK + i]) * part,
        )  # fmt: skip
        albedo = mix(wp.vec3(albedo_r[i], albedo_g[i], albedo_b[i]), wp.vec3(paved[0], paved[1], paved[2]), road[i])
        curb = kerb_stone(site, light) * (0.8 + 0.2 * grain[i])
        albedo = mix(albedo, curb, wp.clamp(stone[i], 0.0, 1.0) * (1.0 - 0.7 * light.snow))
        shine = mirror[i] + road[i] * paved[3]
        incoming = light.sun_rgb * (sun[i] * (1.0 - dark[i] - under[i]))
        incoming += light.ambient_rgb * (1.0 - 0.15 * dark[i] - 0.78 * under[i])
        incoming += wp.vec3(1.0, 0.95, 0.85) * (0.9 * lamp[i])
        incoming += wp.vec3(1.0, 0.78, 0.50) * (pool[i] * (1.0 - under[i]))
        sight = wp.vec3(ray_x[i], ray_y[i], ray_z[i]) * (1.0 / length[i])
        rgb = wp.cw_mul(albedo, incoming) + mirrored(light, shine, sight) * (1.0 - 0.8 * under[i])
        red[i] = rgb[0]
        green[i] = rgb[1]
        blue[i] = rgb[2]
    if kerbs != 0:
        for i in range(PACK):
            if kerb[i] > 0.01:
                # It sees half of the sky, and is dirty from the road.
                lit = wp.max(wp.dot(kerb_normal(ground, scene, x[i], y[i]), light.sun), 0.0)
                incoming = light.sun_rgb * (lit * (1.0 - dark[i] - under[i]))
                incoming += light.ambient_rgb * (0.6 - 0.09 * dark[i] - 0.468 * under[i])
                incoming += wp.vec3(1.0, 0.95, 0.85) * (0.9 * lamp[i])
                incoming += wp.vec3(1.0, 0.78, 0.50) * (pool[i] * (1.0 - under[i]))
                rgb = wp.cw_mul(kerb_stone(site, light) * 0.6, incoming)
                red[i] = red[i] + (rgb[0] - red[i]) * kerb[i]
                green[i] = green[i] + (rgb[1] - green[i]) * kerb[i]
                blue[i] = blue[i] + (rgb[2] - blue[i]) * kerb[i]
    out.red = red
    out.green = green
    out.blue = blue
    return out
