"""An instance's triangles cut into rows of samples, in C++ that a compiler makes vector code of.

Warp's own loops reach the CPU's compiler in a form that it leaves scalar, at several times the cost; on CUDA the same
text runs with one triangle and one row at a time. Edge functions are homogeneous (Olano and Greer, "Triangle scan
conversion using 2D homogeneous coordinates", 1997): a ray (x, y, 1) meets the triangle p0 p1 p2 where all of
ray . (p_i x p_j) have the sign of the triangle's volume, and no clipping at the near plane is needed. Points are
(f x, f y, z) in camera axes, so that a ray's x and y are pixels from the image's centre.
"""

import warp as wp

from sim.render_kernels.view import DEPTH_ONE, EMPTY, FARTHEST_M, NEAR_M, TERRAIN_NAME

wp.set_module_options({"enable_backward": False})

_CONSTANTS = f"""
    constexpr float NEAR = {NEAR_M}f, FARTHEST = {FARTHEST_M}f, ONE = {DEPTH_ONE}f, MOST = 1.0e6f;
    constexpr wp::int64 NOTHING = {int(EMPTY)}ll, TERRAIN = {int(TERRAIN_NAME)}ll, NAME_BITS = 0xFFFFFFFFll;
"""

# Triangles are taken WIDE at a time: those that show their back or lie between the centres of pixels go no further.
# Edges are computed so that neighbours' are exact negatives of each other, which leaves no gap between them.
_TRIANGLES = """
#if defined(__CUDA_ARCH__)
    constexpr int WIDE = 1, TALL = 1;
#else
    constexpr int WIDE = 16, TALL = 8;
#endif
    const int pitch = rows.shape[1];
    const float* table = rows.data + extent[0];
    const float cx = center[0], cy = center[1];
    const float ex = source[0], ey = source[1], ez = source[2];
    const float ax = axes.data[0][0] * focal, ay = axes.data[0][1] * focal, az = axes.data[0][2] * focal;
    const float bx = axes.data[1][0] * focal, by = axes.data[1][1] * focal, bz = axes.data[1][2] * focal;
    const float dx = axes.data[2][0], dy = axes.data[2][1], dz = axes.data[2][2];
    const float sx = shift[0] * focal, sy = shift[1] * focal, sz = shift[2];
    const auto ceiling = [](float value) {
        const float held = value > -1.0f ? (value < MOST ? value : MOST) : -1.0f;
        const int whole = (int)held;
        return whole + (held > (float)whole);
    };
    const auto flooring = [](float value) {
        const float held = value > -1.0f ? (value < MOST ? value : MOST) : -1.0f;
        const int whole = (int)held;
        return whole - (held < (float)whole);
    };
    for (int start = lane * WIDE; start < extent[1]; start += lanes * WIDE) {
        const float* at = table + start;
        float x[3][WIDE], y[3][WIDE], z[3][WIDE];
        float low_u[WIDE], low_v[WIDE], high_u[WIDE], high_v[WIDE];
        int left[WIDE], right[WIDE], top[WIDE], bottom[WIDE], front[WIDE], crosses[WIDE], kept[WIDE + 1];
        for (int k = 0; k < WIDE; ++k) {
            float facing = at[9 * pitch + k] * ex + at[10 * pitch + k] * ey + at[11 * pitch + k] * ez;
            front[k] = (facing > at[12 * pitch + k] * near) & (start + k < extent[1]);
            float u0 = 1.0e9f, v0 = 1.0e9f, u1 = -1.0e9f, v1 = -1.0e9f, least = 1.0e9f;
            for (int c = 0; c < 3; ++c) {
                const float* point = at + 3 * c * pitch + k;
                const float px = point[0], py = point[pitch], pz = point[2 * pitch];
                const float qx = ax * px + ay * py + az * pz + sx;
                const float qy = bx * px + by * py + bz * pz + sy;
                const float qz = dx * px + dy * py + dz * pz + sz;
                const float inverse = 1.0f / qz, u = qx * inverse + cx, v = qy * inverse + cy;
                u0 = u < u0 ? u : u0;
                v0 = v < v0 ? v : v0;
                u1 = u > u1 ? u : u1;
                v1 = v > v1 ? v : v1;
                least = qz < least ? qz : least;
                x[c][k] = qx;
                y[c][k] = qy;
                z[c][k] = qz;
            }
            crosses[k] = least < NEAR;
            low_u[k] = u0;
            low_v[k] = v0;
            high_u[k] = u1;
            high_v[k] = v1;
        }
        const auto cut = [&](int k) {  // the box of what of a triangle lies beyond the near plane
            low_u[k] = low_v[k] = 1.0e9f;
            high_u[k] = high_v[k] = -1.0e9f;
            for (int c = 0; c < 3; ++c) {
                const int d = c == 2 ? 0 : c + 1;
                const float p = z[c][k], q = z[d][k];
                for (int end = 0; end < 2; ++end) {
                    if (p < NEAR && q < NEAR) continue;
                    float share = end;
                    if ((end == 0 ? p : q) < NEAR) share = (NEAR - p) / (q - p);
                    const float inverse = 1.0f / (p + (q - p) * share);
                    const float u = (x[c][k] + (x[d][k] - x[c][k]) * share) * inverse + cx;
                    const float v = (y[c][k] + (y[d][k] - y[c][k]) * share) * inverse + cy;
                    low_u[k] = u < low_u[k] ? u : low_u[k];
                    low_v[k] = v < low_v[k] ? v : low_v[k];
                    high_u[k] = u > high_u[k] ? u : high_u[k];
                    high_v[k] = v > high_v[k] ? v : high_v[k];
                }
            }
        };
        int crossing = 0;
        for (int k = 0; k < WIDE; ++k) crossing |= front[k] & crosses[k];
        for (int k = 0; crossing && k < WIDE; ++k)
            if (front[k] & crosses[k]) cut(k);
        for (int k = 0; k < WIDE; ++k) {  // centres within the box, with slack: edges decide
            const int a = ceiling(low_u[k] - 0.51f), b = flooring(high_u[k] - 0.49f);
            const int c = ceiling(low_v[k] - 0.51f), d = flooring(high_v[k] - 0.49f);
            left[k] = a > 0 ? a : 0;
            right[k] = b < size[0] - 1 ? b : size[0] - 1;
            top[k] = c > 0 ? c : 0;
            bottom[k] = d < size[1] - 1 ? d : size[1] - 1;
        }
        BOXES
        int found = 0;
        for (int k = 0; k < WIDE; ++k) {
            kept[found] = k;
            found += front[k] & (left[k] <= right[k]) & (top[k] <= bottom[k]);
        }
        for (int i = 0; i < found; ++i) {
            const int k = kept[i];
            float edge[3][3], inverse[3];
            for (int c = 0; c < 3; ++c) {
                const int p = c == 0 ? 2 : c - 1, q = c == 2 ? 0 : c + 1;
                const float tx = x[p][k] + x[q][k], ty = y[p][k] + y[q][k], tz = z[p][k] + z[q][k];
                const float wx = x[q][k] - x[p][k], wy = y[q][k] - y[p][k], wz = z[q][k] - z[p][k];
                edge[c][0] = ty * wz - tz * wy;
                edge[c][1] = tz * wx - tx * wz;
                edge[c][2] = tx * wy - ty * wx;
                inverse[c] = edge[c][0] == 0.0f ? 0.0f : 1.0f / edge[c][0];
            }
            const float ux = x[1][k] - x[0][k], uy = y[1][k] - y[0][k], uz = z[1][k] - z[0][k];
            const float vx = x[2][k] - x[0][k], vy = y[2][k] - y[0][k], vz = z[2][k] - z[0][k];
            const float nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
            const float volume = nx * x[0][k] + ny * y[0][k] + nz * z[0][k];
            if (volume >= 0.0f) continue;
            const float least = (float)left[k], most = (float)right[k];
            for (int band = top[k]; band <= bottom[k]; band += TALL) {
                int from[TALL], to[TALL];
                for (int r = 0; r < TALL; ++r) {  // no branches: which way an edge leans is as good as random
                    const float ray = (float)(band + r) + 0.5f - cy;
                    float low = -MOST, up = MOST;
                    for (int c = 0; c < 3; ++c) {
                        const float rest = edge[c][1] * ray + edge[c][2];
                        const float meets = -rest * inverse[c];
                        low = ((edge[c][0] > 0.0f) & (meets > low)) ? meets : low;
                        up = ((edge[c][0] < 0.0f) & (meets < up)) ? meets : up;
                        up = ((edge[c][0] == 0.0f) & (rest < 0.0f)) ? -MOST : up;
                    }
                    low += cx - 0.5f;
                    up += cx - 0.5f;
                    from[r] = ceiling(low > least ? low : least);
                    to[r] = flooring(up < most ? up : most);
                }
                const int count = bottom[k] - band + 1 < TALL ? bottom[k] - band + 1 : TALL;
                for (int r = 0; r < count; ++r) {
                    const int row = band + r, first = from[r], last = to[r];
                    if (first > last) continue;
                    const float rest = nx * (0.5f - cx) + (ny * ((float)row + 0.5f - cy) + nz);
                    SPAN
                }
            }
        }
    }
"""

# Every triangle that faces the camera counts for the box; marks and samples are those of a row's span.
_BOXES = """
        if (outline)
            for (int k = 0; k < WIDE; ++k) {
                least_u[k] = (front[k] & (low_u[k] < least_u[k])) ? low_u[k] : least_u[k];
                least_v[k] = (front[k] & (low_v[k] < least_v[k])) ? low_v[k] : least_v[k];
                most_u[k] = (front[k] & (high_u[k] > most_u[k])) ? high_u[k] : most_u[k];
                most_v[k] = (front[k] & (high_v[k] > most_v[k])) ? high_v[k] : most_v[k];
            }
"""
_MARK_AND_DRAW = """
                    if (outline)
                        for (int word = first >> 5; word <= last >> 5; ++word) {
                            const int a = first - 32 * word, b = last - 32 * word;
                            wp::uint32 mask = a > 0 ? 0xFFFFFFFFu << a : 0xFFFFFFFFu;
                            mask &= b < 31 ? 0xFFFFFFFFu >> (31 - b) : 0xFFFFFFFFu;
                            mask &= ~wp::atomic_or(&wp::index(bitmap, view, actor, row, word), mask);
                            pixels += bits_of(mask);
                        }
                    wp::int64* seen = &wp::index(key, view, row, 0);
                    const wp::int64 tag = name + start + k;
#if defined(__clang__) && !defined(__CUDA_ARCH__)
#pragma clang loop vectorize_width(8) interleave_count(1) vectorize_predicate(enable)
#endif
                    for (int column = first; column <= last; ++column) {
                        const float depth = volume / (nx * (float)column + rest);
                        const wp::int64 drawn = ((wp::int64)(depth * ONE + 0.5f) << 32) | tag;
                        const bool valid = (depth > NEAR) & (depth < FARTHEST);
                        wp::atomic_min(seen + column, valid ? drawn : NOTHING);
                    }
"""
_DRAW = (
    _CONSTANTS
    + """
    const auto bits_of = [](wp::uint32 word) {
        word -= (word >> 1) & 0x55555555u;
        word = (word & 0x33333333u) + ((word >> 2) & 0x33333333u);
        return (int)((((word + (word >> 4)) & 0x0F0F0F0Fu) * 0x01010101u) >> 24);
    };
    int pixels = 0;
    float least_u[16], least_v[16], most_u[16], most_v[16];
    for (int k = 0; k < 16; ++k) {
        least_u[k] = least_v[k] = 1.0e9f;
        most_u[k] = most_v[k] = -1.0e9f;
    }
"""
    + _TRIANGLES.replace("BOXES", _BOXES).replace("SPAN", _MARK_AND_DRAW)
    + """
    if (outline) {
        for (int k = 1; k < WIDE; ++k) {
            least_u[0] = least_u[k] < least_u[0] ? least_u[k] : least_u[0];
            least_v[0] = least_v[k] < least_v[0] ? least_v[k] : least_v[0];
            most_u[0] = most_u[k] > most_u[0] ? most_u[k] : most_u[0];
            most_v[0] = most_v[k] > most_v[0] ? most_v[k] : most_v[0];
        }
        wp::atomic_add(&wp::index(silhouette, view, actor), pixels);
        wp::atomic_min(&wp::index(amodal, view, actor, 0), least_u[0]);
        wp::atomic_min(&wp::index(amodal, view, actor, 1), least_v[0]);
        wp::atomic_max(&wp::index(amodal, view, actor, 2), most_u[0]);
        wp::atomic_max(&wp::index(amodal, view, actor, 3), most_v[0]);
    }
"""
)


@wp.func_native(_DRAW)
def draw_triangles(
    rows: wp.array2d(dtype=wp.float32),
    axes: wp.mat33,
    shift: wp.vec3,
    source: wp.vec3,
    near: wp.float32,
    extent: wp.vec2i,
    focal: wp.float32,
    center: wp.vec2,
    size: wp.vec2i,
    lane: wp.int32,
    lanes: wp.int32,
    view: wp.int32,
    name: wp.int64,
    actor: wp.int32,
    outline: wp.bool,
    key: wp.array3d(dtype=wp.int64),
    bitmap: wp.array4d(dtype=wp.uint32),
    silhouette: wp.array2d(dtype=wp.int32),
    amodal: wp.array3d(dtype=wp.float32),
):  # type: ignore[empty-body]
    """Put an instance's triangles into the visibility buffer; with `outline` also its own pixels and bounds."""
    ...


# Ground that is not flat is in shadow where it lies at about the depth of a shadow's plane: it may be another hill.
_SHADE = """
                    wp::uint8* dark = &wp::index(stencil, view, row, 0);
                    if (flat) {
                        for (int column = first; column <= last; ++column) dark[column] = 1;
                        continue;
                    }
                    const wp::int64* seen = &wp::index(key, view, row, 0);
                    for (int column = first; column <= last; ++column) {
                        const float depth = (float)(seen[column] >> 32) * (1.0f / ONE);
                        const float apart = volume / (nx * (float)column + rest) - depth, most = 0.2f * depth + 0.5f;
                        const bool ground = (seen[column] & NAME_BITS) == TERRAIN;
                        if (ground & (apart < most) & (apart > -most)) dark[column] = 1;
                    }
"""


@wp.func_native(_CONSTANTS + _TRIANGLES.replace("BOXES", "").replace("SPAN", _SHADE))
def shade_triangles(
    rows: wp.array2d(dtype=wp.float32),
    axes: wp.mat33,
    shift: wp.vec3,
    source: wp.vec3,
    near: wp.float32,
    extent: wp.vec2i,
    focal: wp.float32,
    center: wp.vec2,
    size: wp.vec2i,
    lane: wp.int32,
    lanes: wp.int32,
    view: wp.int32,
    flat: wp.bool,
    key: wp.array3d(dtype=wp.int64),
    stencil: wp.array3d(dtype=wp.uint8),
):  # type: ignore[empty-body]
    """Mark the ground that an instance's flattened triangles cover with 1."""
    ...
