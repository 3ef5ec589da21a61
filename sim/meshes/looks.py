"""What materials look like before patterns and tints: tables for the shading kernels. Colours are linear RGB."""

import numpy as np

from sim.meshes.sculpt import Material

_M = Material
# Material: red, green, blue, and how much it mirrors when one looks straight at it.
_LOOKS: dict[Material, tuple[float, float, float, float]] = {
    _M.PAINT: (0.4, 0.4, 0.4, 0.05),
    _M.GLASS: (0.006, 0.007, 0.008, 0.07),
    _M.TYRE: (0.016, 0.016, 0.017, 0.0),
    _M.RIM: (0.22, 0.225, 0.23, 0.10),
    _M.DARK: (0.008, 0.008, 0.009, 0.0),
    _M.HEAD_LAMP: (0.50, 0.51, 0.53, 0.09),
    _M.TAIL_LAMP: (0.26, 0.006, 0.008, 0.06),
    _M.PLATE: (0.70, 0.70, 0.67, 0.0),
    _M.CARGO: (0.62, 0.62, 0.60, 0.03),
    _M.CONCRETE: (0.30, 0.29, 0.28, 0.0),
    _M.METAL: (0.26, 0.27, 0.28, 0.05),
    _M.LANTERN: (0.5, 0.5, 0.48, 0.05),
    _M.BARK: (0.10, 0.07, 0.045, 0.0),
    _M.REFLECTOR: (0.5, 0.25, 0.03, 0.05),
    _M.RIDER_HELMET: (0.4, 0.4, 0.4, 0.05),
    _M.RIDER_SHOE: (0.02, 0.02, 0.02, 0.0),
    _M.GRILLE: (0.016, 0.016, 0.018, 0.04),
    _M.WHEEL: (0.26, 0.265, 0.27, 0.08),
    _M.BLACK: (0.022, 0.022, 0.024, 0.03),
    _M.CHROME: (0.35, 0.355, 0.36, 0.35),
    _M.INDICATOR: (0.45, 0.16, 0.01, 0.05),
    _M.SHOE: (0.02, 0.017, 0.015, 0.01),
    _M.CURTAIN: (0.3, 0.3, 0.3, 0.02),
    _M.TANK: (0.42, 0.43, 0.44, 0.30),
    _M.INTERIOR: (0.015, 0.015, 0.016, 0.0),
    _M.DISPLAY: (0.006, 0.006, 0.006, 0.05),
    _M.NUMBER_PLATE: (0.68, 0.68, 0.66, 0.02),
}

# Letters and digits, 3 wide and 5 high, row by row from the top.
_FONT = {
    "A": "010101111101101", "B": "110101110101110", "C": "011100100100011", "D": "110101101101110",
    "E": "111100110100111", "F": "111100110100100", "G": "011100101101011", "H": "101101111101101",
    "J": "001001001101010", "K": "101101110101101", "L": "100100100100111", "M": "101111111101101",
    "N": "111101101101101", "P": "110101110100100", "R": "110101110110101", "S": "011100010001110",
    "T": "111010010010010", "U": "101101101101111", "V": "101101101101010", "X": "101101010101101",
    "Y": "101101010010010", "Z": "111001010100111",
    "0": "111101101101111", "1": "010110010010111", "2": "110001010100111", "3": "111001011001111",
    "4": "101101111001001", "5": "111100110001110", "6": "011100111101111", "7": "111001010010010",
    "8": "111101111101111", "9": "111101111001110",
}  # fmt: skip
LETTERS = 22
FIRST_COLOUR = 100  # from here on the rows are the colours of users' models


def look_table() -> np.ndarray:
    """(FIRST_COLOUR, 4) float32, by number of the material; those without a row are mid grey."""
    table = np.full((FIRST_COLOUR, 4), (0.2, 0.2, 0.2, 0.0), np.float32)
    for material, look in _LOOKS.items():
        table[material] = look
    return table


def glyph_table() -> np.ndarray:
    """(letters, then ten digits) int32: bit 3 * row + column of a glyph, rows from the top."""
    return np.array([sum(1 << k for k, dot in enumerate(dots) if dot == "1") for dots in _FONT.values()], np.int32)
