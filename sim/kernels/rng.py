"""Counter-based random numbers: a pure function of (seed, stream, actor, tick), never of a world's place in the batch.

The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

# Streams: one number per use, so that adding a use never shifts the draws of another.
EGO = wp.constant(1)
KIND = wp.constant(2)
PLACE = wp.constant(3)
CHARACTER = wp.constant(4)
PATH = wp.constant(5)
ROUTE = wp.constant(6)
CROSSING = wp.constant(7)
WAIT = wp.constant(8)
RESPAWN = wp.constant(9)
SIGNAL = wp.constant(10)
CROSSWALK = wp.constant(11)
GROUP = wp.constant(12)
PARK = wp.constant(13)
DOOR = wp.constant(14)
MANNERS = wp.constant(15)

GOLDEN = wp.constant(wp.uint64(0x9E3779B97F4A7C15))
MIX_A = wp.constant(wp.uint64(0xBF58476D1CE4E5B9))
MIX_B = wp.constant(wp.uint64(0x94D049BB133111EB))


@wp.func
def mix(x: wp.uint64) -> wp.uint64:
    """The SplitMix64 step and finaliser: a bijection of 64 bits with full avalanche."""
    z = x + GOLDEN
    z = (z ^ (z >> wp.uint64(30))) * MIX_A
    z = (z ^ (z >> wp.uint64(27))) * MIX_B
    return z ^ (z >> wp.uint64(31))


@wp.func
def random_key(seed: wp.int64, stream: int, actor: int, tick: wp.int64) -> wp.uint64:
    """The key of one named draw; `uniform` and `below` take numbers from it."""
    key = mix(wp.uint64(seed))
    key = mix(key ^ wp.uint64(stream))
    key = mix(key ^ wp.uint64(actor))
    return mix(key ^ wp.uint64(tick))


@wp.func
def uniform(key: wp.uint64, counter: int) -> float:
    """A float in [0, 1) with 24 random bits."""
    bits = mix(key ^ (wp.uint64(counter) * GOLDEN)) >> wp.uint64(40)
    return float(bits) * (1.0 / 16777216.0)


@wp.func
def between(key: wp.uint64, counter: int, low: float, high: float) -> float:
    """A float in [low, high)."""
    return low + (high - low) * uniform(key, counter)


@wp.func
def below(key: wp.uint64, counter: int, count: int) -> int:
    """An integer in [0, count); `count` up to 2^31."""
    bits = mix(key ^ (wp.uint64(counter) * GOLDEN)) >> wp.uint64(32)
    return int((bits * wp.uint64(count)) >> wp.uint64(32))
