"""Grading keeps a painting's pattern and gives it the mean of its grade."""

import numpy as np
import pytest

from sim.painting.gan import gan_textures
from sim.painting.grading import GRADES, Grade, graded
from sim.rendering.texels import linear


def _painting() -> np.ndarray:
    return np.random.default_rng(3).integers(40, 200, (64, 64, 3)).astype(np.uint8)


def test_the_mean_is_that_of_the_grade_and_order_is_kept():
    image, grade = _painting(), Grade((0.06, 0.09, 0.03), 1.0, 1.0)
    out = graded(image, grade)
    np.testing.assert_allclose(linear(out).mean((0, 1)), grade.mean, rtol=0.01)
    # With all of its contrast and hue a channel is only scaled.
    scale = linear(out)[..., 1] / linear(image)[..., 1]
    assert scale.std() < 0.02 * scale.mean()


def test_without_its_own_hue_a_painting_has_one_colour_and_less_contrast_is_flatter():
    image, mean = _painting(), (0.06, 0.09, 0.03)
    plain = linear(graded(image, Grade(mean, 1.0, 0.0)))
    np.testing.assert_allclose(plain[..., 0] / plain[..., 1], 0.06 / 0.09, rtol=0.15)
    flat = linear(graded(image, Grade(mean, 0.5, 0.0)))
    assert flat[..., 1].std() < 0.7 * plain[..., 1].std()


@pytest.mark.parametrize("name", sorted(GRADES))
def test_what_the_gan_paints_reflects_what_is_measured(name: str):
    painted = linear(getattr(gan_textures(None, 2, 1), name).numpy())
    np.testing.assert_allclose(painted.mean((1, 2)), np.broadcast_to(GRADES[name].mean, (2, 3)), rtol=0.02)
