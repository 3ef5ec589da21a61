"""How controlled vehicles move: actuators, then a kinematic or a dynamic bicycle, then their place on the lanes.

The dynamic bicycle has its centre of gravity half way between the axles, half the load on each, and the yaw inertia
m (wheelbase / 2)^2. Forces are per mass of the vehicle. Tyres follow the brush model (Fiala, "Seitenkräfte am rollenden
Luftreifen", 1954; Pacejka, "Tire and Vehicle Dynamics", 2012, chapter 3), inside a friction circle per axle.
"""

import warp as wp

from sim.kernels.lanes import Lanes, lane_project, wrap_angle
from sim.kernels.motion import shift_path, travelled

wp.set_module_options({"enable_backward": False})

MAX_ACCEL_MPS2 = wp.constant(4.0)
MAX_BRAKE_MPS2 = wp.constant(8.0)
MAX_STEER_RAD = wp.constant(0.6)
MAX_STEER_RATE_RADPS = wp.constant(1.0)
GRAVITY_MPS2 = wp.constant(9.81)
# Cornering stiffness per axle load: softer in front, so that cars understeer by (1 / front - 1 / rear) rad per g.
FRONT_STIFFNESS = wp.constant(8.0)
REAR_STIFFNESS = wp.constant(10.5)
SUBSTEP_S = wp.constant(0.01)
# Slip angles lose their meaning at a standstill: below the one speed the tyres roll where they point, above the other
# they slip.
ROLL_BELOW_MPS = wp.constant(1.5)
SLIP_ABOVE_MPS = wp.constant(3.5)

# Rear axle x, y, yaw; velocity of the centre of gravity forward and to the left; yaw rate
rigid_state = wp.types.vector(length=6, dtype=wp.float32)


@wp.func
def bicycle_step(xy: wp.vec2, yaw: float, distance: float, curvature: float) -> wp.vec3:
    """Pose of the rear axle after `distance` along a circle of `curvature`, exactly (chord and half angle)."""
    half = 0.5 * distance * curvature
    chord = distance
    if wp.abs(half) > 1.0e-4:
        chord = distance * wp.sin(half) / half
    return wp.vec3(xy[0] + chord * wp.cos(yaw + half), xy[1] + chord * wp.sin(yaw + half), yaw + 2.0 * half)


@wp.func
def approach(now: float, wanted: float, gain: float, most: float) -> float:
    """What an actuator does in a tick: it closes the share `gain` of the gap, by `most` at most."""
    change = wanted - now
    if gain < 1.0:
        change = change * gain
    if wp.abs(change) > most:
        return now + wp.where(change > 0.0, 1.0, -1.0) * most
    return wp.where(gain < 1.0, now + change, wanted)


@wp.func
def tyre_force(slip_rad: float, stiffness: float, limit: float) -> float:
    """Lateral force of an axle: brush model, -stiffness tan(slip) for small slip, never more than `limit`."""
    x = stiffness * wp.tan(wp.clamp(slip_rad, -1.5, 1.5))
    sliding = 3.0 * limit
    if wp.abs(x) >= sliding:
        return wp.where(x > 0.0, -limit, limit)
    return -(x - x * wp.abs(x) / sliding + x * x * x / (3.0 * sliding * sliding))


@wp.func
def dynamic_substep(
    state: rigid_state, drive: float, steer: float, base: float, friction: float, downhill: float, h: float
) -> rigid_state:
    """`h` seconds of the dynamic bicycle; velocity first, then position (semi-implicit Euler)."""
    yaw = state[2]
    vx = state[3]
    vy = state[4]
    rate = state[5]
    half = 0.5 * base
    grip = friction * GRAVITY_MPS2
    along = wp.clamp(drive, -grip, grip)
    if drive < 0.0:
        # Brakes stop the wheels, they do not turn them backwards.
        along = wp.where(vx > 0.0, wp.max(along, -vx / h), wp.min(-along, -vx / h))
    side = wp.sqrt(wp.max(grip * grip - along * along, 0.0))
    speed = wp.sqrt(vx * vx + vy * vy)
    slipping = wp.clamp((speed - ROLL_BELOW_MPS) / (SLIP_ABOVE_MPS - ROLL_BELOW_MPS), 0.0, 1.0)
    # Where the tyres slip
    roll = wp.abs(vx) + 1.0e-3
    turned = wp.where(vx < 0.0, -steer, steer)
    axle = 0.5 * GRAVITY_MPS2
    front = tyre_force(wp.atan2(vy + half * rate, roll) - turned, FRONT_STIFFNESS * axle, 0.5 * side)
    rear = tyre_force(wp.atan2(vy - half * rate, roll), REAR_STIFFNESS * axle, 0.5 * side)
    c = wp.cos(steer)
    n = wp.sin(steer)
    front_left = 0.5 * along * n + front * c
    ax = 0.5 * along * (1.0 + c) - front * n
    ay = front_left + rear
    rate_slipping = rate + (front_left - rear) / half * h
    # Where they roll, with no more force either
    rate_rolling = vx * wp.tan(steer) / base
    if wp.abs(rate_rolling * vx) > side:
        rate_rolling = wp.sign(rate_rolling) * side / wp.abs(vx)
    ay_rolling = wp.clamp((half * rate_rolling - vy) / h + rate_rolling * vx, -side, side)
    ax_rolling = along - rate_rolling * vy
    over = wp.max(wp.sqrt(ax_rolling * ax_rolling + ay_rolling * ay_rolling) / grip, 1.0)
    ax = slipping * ax + (1.0 - slipping) * ax_rolling / over + downhill
    ay = slipping * ay + (1.0 - slipping) * ay_rolling / over
    rate = slipping * rate_slipping + (1.0 - slipping) * rate_rolling
    # Both velocity and position in axes that stand still
    c = wp.cos(yaw)
    n = wp.sin(yaw)
    u = c * (vx + ax * h) - n * (vy + ay * h)
    v = n * (vx + ax * h) + c * (vy + ay * h)
    x = state[0] + half * c + u * h
    y = state[1] + half * n + v * h
    yaw = yaw + rate * h
    c = wp.cos(yaw)
    n = wp.sin(yaw)
    return rigid_state(x - half * c, y - half * n, yaw, c * u + n * v, c * v - n * u, rate)


@wp.func
def dynamic_step(
    start: rigid_state, drive: float, steer: float, base: float, friction: float, downhill: float, dt: float
) -> rigid_state:
    """A tick of the dynamic bicycle in substeps."""
    state = start
    steps = int(wp.ceil(dt / SUBSTEP_S))
    h = dt / float(steps)
    for _ in range(steps):
        if drive > 0.0 or wp.abs(state[3]) + wp.abs(state[4]) > 1.0e-3:
            state = dynamic_substep(state, drive, steer, base, friction, downhill, h)
        else:
            state = rigid_state(state[0], state[1], state[2], 0.0, 0.0, 0.0)  # the brakes hold
    return state


@wp.kernel
def move_controlled(
    # World
    threads: int,
    lanes: Lanes,
    seed: wp.array(dtype=wp.int64),
    dt: float,
    dynamic: int,
    accel_gain: float,
    steer_gain: float,
    most_jerk: float,
    friction: wp.array(dtype=float),
    first_person: int,
    wheelbase_m: wp.array2d(dtype=float),
    controlled: wp.array2d(dtype=wp.bool),
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    route_offset_m: wp.array2d(dtype=float),
    route_length_m: wp.array(dtype=float),
    # In
    action_accel_mps2: wp.array2d(dtype=float),
    action_steer_rad: wp.array2d(dtype=float),
    action_valid: wp.array2d(dtype=wp.bool),
    pitch_rad: wp.array2d(dtype=float),
    tick: wp.array(dtype=wp.int64),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
    lateral_mps: wp.array2d(dtype=float),
    accel_mps2: wp.array2d(dtype=float),
    drive_mps2: wp.array2d(dtype=float),
    steer_rad: wp.array2d(dtype=float),
    yaw_rate_radps: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    route_index: wp.array(dtype=wp.int32),
    progress_m: wp.array(dtype=float),
):
    """Actuators with lag and limits; then the kinematic bicycle about the rear axle, yaw' = v tan(steer) / wheelbase,
    or the dynamic one; then the place on the planned lanes."""
    b, t = wp.tid()
    for i in range(t, first_person, threads):
        if not controlled[b, i] or not valid[b, i]:
            continue
        wanted = float(0.0)
        steer = steer_rad[b, i]
        if action_valid[b, i]:
            wanted = wp.clamp(action_accel_mps2[b, i], -MAX_BRAKE_MPS2, MAX_ACCEL_MPS2)
            wheel = wp.clamp(action_steer_rad[b, i], -MAX_STEER_RAD, MAX_STEER_RAD)
            steer = approach(steer, wheel, steer_gain, MAX_STEER_RATE_RADPS * dt)
        drive = approach(drive_mps2[b, i], wanted, accel_gain, most_jerk * dt)
        drive_mps2[b, i] = drive
        speed = speed_mps[b, i]
        xy = xy_world_m[b, i]
        yaw = yaw_world_rad[b, i]
        downhill = GRAVITY_MPS2 * wp.sin(pitch_rad[b, i])
        ahead = speed * dt
        if dynamic == 1:
            start = rigid_state(xy[0], xy[1], yaw, speed, lateral_mps[b, i], yaw_rate_radps[b, i])
            after = dynamic_step(start, drive, steer, wheelbase_m[b, i], friction[b], downhill, dt)
            xy = wp.vec2(after[0], after[1])
            yaw = after[2]
            lateral_mps[b, i] = after[4]
            yaw_rate_radps[b, i] = after[5]
            speed_mps[b, i] = after[3]
            accel_mps2[b, i] = (after[3] - speed) / dt
        else:
            accel = drive
            if speed > 0.0 or drive > 0.0:  # else the brakes hold
                accel += downhill
            moved = travelled(speed, accel, dt)
            pose = bicycle_step(xy, yaw, moved[0], wp.tan(steer) / wheelbase_m[b, i])
            xy = wp.vec2(pose[0], pose[1])
            yaw_rate_radps[b, i] = (pose[2] - yaw) / dt
            yaw = pose[2]
            speed_mps[b, i] = moved[1]
            accel_mps2[b, i] = (moved[1] - speed) / dt
            ahead = moved[0]
        xy_world_m[b, i] = xy
        yaw_world_rad[b, i] = wrap_angle(yaw)
        steer_rad[b, i] = steer
        lane = path_lane[b, i][0]
        on_lane = lane_project(lanes, lane, lane_s_m[b, i] + ahead, xy)
        hops = int(0)
        while on_lane[0] > lanes.meta[lane][0] and path_valid[b, i, 1] and hops < 4:
            hops = hops + 1
            beyond = on_lane[0] - lanes.meta[lane][0]
            lane = shift_path(
                lanes,
                seed[b],
                tick[b],
                b,
                i,
                wheelbase_m[b, i],
                route_lane,
                route_valid,
                route_index,
                path_lane,
                path_valid,
            )
            on_lane = lane_project(lanes, lane, beyond, xy)
        s = wp.clamp(on_lane[0], 0.0, lanes.meta[lane][0])
        lane_s_m[b, i] = s
        lane_lateral_m[b, i] = on_lane[1]
        if i == 0:
            so_far = wp.min(route_offset_m[b, route_index[b]] + s, route_length_m[b])
            progress_m[b] = wp.max(progress_m[b], so_far)
