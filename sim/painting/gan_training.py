"""Training of the texture GAN: `train_gan`, its checkpoints and its model card.

A generator that only hears from its critic needs many hours; this one also learns to repaint real examples from what
an encoder says of them (Larsen et al., "Autoencoding beyond pixels", 2016): layouts pixel by pixel, textures by their
colour and contrasts. Pictures to paint are then drawn from a Gaussian fitted to the encoded
examples (Ghosh et al., "From variational to deterministic autoencoders", 2020); the critic sees mixtures of them.

Adversarial loss: relativistic pairing logistic loss with gradient penalties on real and painted pictures, Huang et al.,
"The GAN is dead; long live the GAN!" (2024), the penalties every PENALTY_EVERY steps as in StyleGAN2. AdamW without
momentum; the generator that is kept is an exponential moving average.

Everything random is keyed by (seed, step, rank), so a run that was killed continues as if nothing had happened. Where
torch.distributed is initialised the batch is shared between the ranks, gradients are averaged and rank 0 writes.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from configs.schema import GanTraining
from sim.painting.gan import Discriminator, Encoder, Generator, save_generators, sky_generator, tile_generator
from sim.painting.gan_data import SKY_PX, TILE_PX, TileKind, example_skies, example_tiles
from sim.painting.gan_quality import write_model_card

CHECKPOINT, WEIGHTS, CARD = "checkpoint.pt", "gan.safetensors", "gan.md"
PENALTY_EVERY = 8
PENALTY = 0.5  # weight of the squared gradient norm
USE_BFLOAT16 = True  # of the networks only: 1.4 times faster on a core with AVX-512 BF16
REPAINT = 20.0  # weight of the repainting loss
LATENT_NOISE = 0.2  # so that near latents paint alike
EMA = 0.995
REPORT_EVERY = 10
SKY_EVERY = 2  # skies are simpler: half as many steps, half the batch


@dataclass
class Painter:
    """One generator with what trains it: `kinds` classes, `examples` (kinds, n, 3, H, W) in -1..1."""

    name: str
    generator: Generator
    average: Generator
    encoder: Encoder
    discriminator: Discriminator
    generator_optimizer: torch.optim.Optimizer
    discriminator_optimizer: torch.optim.Optimizer
    kinds: int
    examples: Tensor
    laid_out: Tensor  # (kinds, 2) bool: the place along rows, along columns matters


def train_gan(config: GanTraining, out: Path, seed: int, resume: Path | None, report: Callable[[dict], None]) -> Path:
    """Train for `config.steps` steps, write weights, checkpoint and model card into `out`; the path of the weights.

    `resume` is a run folder or a checkpoint of it; the run goes on where that one was and yields the same weights as
    one that was never interrupted. `report` gets the figures of a step every REPORT_EVERY steps, on every rank. Raises
    ValueError where the checkpoint is unreadable or of other settings, OSError where `out` cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    seconds = Trainer(config, seed).run(out, resume, report)
    if _rank() == 0:
        write_model_card(out / WEIGHTS, out / CARD, config, seed, _ranks(), seconds)
    return out / WEIGHTS


class Trainer:
    """The two painters of one run and the loop over its steps."""

    def __init__(self, config: GanTraining, seed: int) -> None:
        """Draw the examples and the networks' first weights, both from the seed; ValueError for a small batch."""
        if config.batch < _ranks():
            raise ValueError(f"train.gan.batch {config.batch}: less than the {_ranks()} workers; give each at least 1")
        self.config, self.seed = config, seed
        self.painters = _painters(config, seed)

    def run(self, out: Path, resume: Path | None, report: Callable[[dict], None]) -> float:
        """Train up to `config.steps`, writing checkpoints and weights into `out`; the seconds of all its runs."""
        config, seed = self.config, self.seed
        step, seconds = (0, 0.0) if resume is None else _restore(resume, self.painters, config, seed)
        out.mkdir(parents=True, exist_ok=True)
        started = time.perf_counter() - seconds
        while step < config.steps:
            losses = _step(self.painters, config, seed, step)
            step, seconds = step + 1, time.perf_counter() - started
            if step % REPORT_EVERY == 0 or step == config.steps:
                figures = {name: float(value) for name, value in losses.items()}
                report({"step": step, "steps": config.steps, "seconds": seconds} | figures)
            if step % config.checkpoint_every == 0 or step == config.steps:
                _save(out, self.painters, config, seed, step, seconds)
        return seconds


def _painters(config: GanTraining, seed: int) -> list[Painter]:
    tiles = torch.stack([example_tiles(kind, config.examples, seed) for kind in TileKind])
    skies = example_skies(config.examples, seed)[None]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tile_networks = (
            tile_generator(),
            Encoder((TILE_PX, TILE_PX), (24, 48, 64, 96)),
            Discriminator(len(TileKind), (32, 64, 96, 128)),
        )
        sky_networks = sky_generator(), Encoder(SKY_PX, (16, 32, 48, 64)), Discriminator(1, (32, 48, 64, 96))
    return [
        _painter("tiles", *tile_networks, config, tiles),
        _painter("sky", *sky_networks, config, skies),
    ]


def _painter(
    name: str,
    generator: Generator,
    encoder: Encoder,
    discriminator: Discriminator,
    config: GanTraining,
    examples: Tensor,
) -> Painter:
    def optimizer(*networks: nn.Module) -> torch.optim.Optimizer:
        parameters = [p for network in networks for p in network.parameters()]
        return torch.optim.AdamW(parameters, lr=config.learning_rate, betas=(0.0, 0.99), weight_decay=1e-4, eps=1e-8)

    average = copy.deepcopy(generator).requires_grad_(False)
    optimizers = optimizer(generator, encoder), optimizer(discriminator)
    return Painter(
        name,
        generator,
        average,
        encoder,
        discriminator,
        *optimizers,
        len(examples),
        examples,
        generator.laid_out.flatten(1),
    )


def _step(painters: list[Painter], config: GanTraining, seed: int, step: int) -> dict[str, Tensor]:
    """One step of each painter that is due; its losses by name."""
    figures: dict[str, Tensor] = {}
    for index, painter in enumerate(painters):
        every = 1 if painter.name == "tiles" else SKY_EVERY
        if step % every == 0:
            stream = torch.Generator().manual_seed((((seed * 10_000_019 + step) * 64 + _rank()) * 2 + index) % 2**63)
            batch = max(1, config.batch // every // _ranks())
            losses = _train_painter(painter, batch, stream, step // every)
            figures |= {f"{painter.name}/{name}": value for name, value in losses.items()}
    return figures


def _train_painter(painter: Painter, batch: int, stream: torch.Generator, turn: int) -> dict[str, Tensor]:
    first = int(torch.randint(painter.kinds, (), generator=stream))
    kind = (torch.arange(batch) + first) % painter.kinds
    real = _draw_real(painter, kind, stream)
    half = (batch + 1) // 2
    with _mixed():
        latent = painter.encoder(real[:half]).float()
        latent = latent + LATENT_NOISE * torch.randn(latent.shape, generator=stream)
        share = torch.rand(half, 1, generator=stream)
        mixed = latent * share + latent.roll(painter.kinds, 0) * (1.0 - share)
        noise = painter.generator.draw_noise(batch, stream)
        fake = painter.generator(
            torch.cat((latent, mixed[: batch - half])), torch.cat((kind[:half], kind[: batch - half])), noise
        )
    fake, fake_kind = fake.float(), torch.cat((kind[:half], kind[: batch - half]))
    critic = _critic_step(painter, real, kind, fake.detach(), fake_kind, turn % PENALTY_EVERY == 0)
    repaint = _repaint_loss(real[:half], fake[:half], painter.laid_out[kind[:half]])
    generator = _generator_step(painter, real, kind, fake, fake_kind, repaint)
    _follow(painter, min(EMA, (1 + turn) / (10 + turn)))
    return {"discriminator_loss": critic, "generator_loss": generator, "repaint_loss": repaint.detach()}


def _mixed() -> torch.autocast:
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=USE_BFLOAT16)


def _repaint_loss(real: Tensor, fake: Tensor, laid_out: Tensor) -> Tensor:
    """How badly examples (n, 3, H, W) were repainted at four scales: their colours and their contrasts.

    `laid_out` (n, 2) says what is compared: façades place by place, skies row by row (where clouds stand is up to the
    painter), stationary textures as a whole.
    """
    loss = torch.zeros(())
    for level in range(4):
        contrasts = [F.avg_pool2d(_contrasts(picture), max(1, 8 >> level)) for picture in (real, fake)]
        loss = loss + (_difference(real, fake, laid_out) + 2.0 * _difference(*contrasts, laid_out)).mean()
        real, fake = F.avg_pool2d(real, 2), F.avg_pool2d(fake, 2)
    return loss / 4.0


def _difference(real: Tensor, fake: Tensor, laid_out: Tensor) -> Tensor:
    """(n,): mean difference of two (n, C, H, W); of their means and deviations along the axes where place is free."""
    by_place = (fake - real).abs().mean((1, 2, 3))
    moments = [(x.mean(3), (x.var(3) + 1e-5).sqrt()) for x in (real, fake)]
    by_row = sum((b - a).abs().mean((1, 2)) for a, b in zip(*moments))
    moments = [(x.mean((2, 3)), (x.var((2, 3)) + 1e-5).sqrt()) for x in (real, fake)]
    overall = sum((b - a).abs().mean(1) for a, b in zip(*moments))
    return torch.where(laid_out[:, 1], by_place, torch.where(laid_out[:, 0], by_row, overall))


def _contrasts(picture: Tensor) -> Tensor:
    """(n, 12, H, W): absolute steps of brightness and two colour differences to four of the neighbours.

    Brightness apart from colour, or coloured noise would pass for texture; four directions, or stripes would.
    """
    red, green, blue = picture.unbind(1)
    split = torch.stack(((red + green + blue) / 3.0, red - green, blue - green), dim=1)
    steps = [split - split.roll(offset, dims=(2, 3)) for offset in ((0, 1), (1, 0), (1, 1), (1, -1))]
    return torch.cat(steps, dim=1).abs()


def _logits(discriminator: Discriminator, pictures: Tensor, kind: Tensor) -> Tensor:
    with _mixed():
        logits = discriminator(pictures, kind)
    return logits.float()


def _pairing_loss(better: Tensor, worse: Tensor) -> Tensor:
    """Mean over the batch of the logistic loss of the whole picture and the mean one of its patches."""
    losses = F.softplus(worse - better)
    return (losses[:, 0] + losses[:, 1:].mean(1)).mean()


def _critic_step(
    painter: Painter, real: Tensor, kind: Tensor, fake: Tensor, fake_kind: Tensor, penalise: bool
) -> Tensor:
    critic = painter.discriminator
    loss = _pairing_loss(_logits(critic, real, kind), _logits(critic, fake, fake_kind))
    total = loss
    if penalise:
        penalty = _gradient(critic, real, kind) + _gradient(critic, fake, fake_kind)
        total = loss + 0.5 * PENALTY * PENALTY_EVERY * penalty
    _descend(total, [critic], painter.discriminator_optimizer)
    return loss.detach()


def _gradient(critic: Discriminator, pictures: Tensor, kind: Tensor) -> Tensor:
    """Mean squared norm of the gradient of the judgement by the picture (R1 on real ones, R2 on painted ones)."""
    pictures = pictures.detach().requires_grad_()
    logits = critic(pictures, kind)
    judgement = (logits[:, 0] + logits[:, 1:].mean(1)).sum()
    (gradient,) = torch.autograd.grad(judgement, pictures, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean()


def _generator_step(
    painter: Painter, real: Tensor, kind: Tensor, fake: Tensor, fake_kind: Tensor, repaint: Tensor
) -> Tensor:
    painter.discriminator.requires_grad_(False)
    with torch.no_grad():
        judged_real = _logits(painter.discriminator, real, kind)
    loss = _pairing_loss(_logits(painter.discriminator, fake, fake_kind), judged_real)
    _descend(loss + REPAINT * repaint, [painter.generator, painter.encoder], painter.generator_optimizer)
    painter.discriminator.requires_grad_(True)
    return loss.detach()


@torch.no_grad()
def fit_latents(painter: Painter) -> None:
    """Fit the Gaussian of each class, from which pictures are drawn, to the encoded examples."""
    for kind in range(painter.kinds):
        latent = torch.cat([painter.encoder(part) for part in painter.examples[kind].split(32)])
        centred = latent - latent.mean(0)
        covariance = centred.T @ centred / len(latent)
        values, vectors = torch.linalg.eigh(covariance)
        painter.average.latent_mean[kind] = latent.mean(0)
        painter.average.latent_root[kind] = vectors * values.clamp_min(0.0).sqrt()


@torch.no_grad()
def _follow(painter: Painter, memory: float) -> None:
    """Move the kept average toward the generator; a short memory at first, or it would remember its random start."""
    for kept, value in zip(painter.average.parameters(), painter.generator.parameters()):
        kept.lerp_(value, 1.0 - memory)


def _descend(loss: Tensor, networks: list[nn.Module], optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    _average_gradients([p for network in networks for p in network.parameters()])
    optimizer.step()


def _average_gradients(parameters: list[nn.Parameter]) -> None:
    """Mean over the ranks, as one message; nothing to do in a single process."""
    if _ranks() == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(flat)
    flat /= _ranks()
    for parameter, part in zip(parameters, flat.split([gradient.numel() for gradient in gradients])):
        parameter.grad = part.view_as(parameter)


def _draw_real(painter: Painter, kind: Tensor, stream: torch.Generator) -> Tensor:
    """One example per class index (batch,), mirrored and shifted around its edges at random."""
    count, rows, columns = painter.examples.shape[1], *painter.examples.shape[3:]
    pick = torch.randint(count, (len(kind),), generator=stream)
    mirror = torch.rand(len(kind), generator=stream) < 0.5
    shift = torch.stack([torch.randint(size, (len(kind),), generator=stream) for size in (rows, columns)], dim=1)
    shift *= ~painter.laid_out[kind].any(1, keepdim=True)
    pictures = []
    for k, i, flip, (down, right) in zip(kind.tolist(), pick.tolist(), mirror.tolist(), shift.tolist()):
        picture = painter.examples[k, i].roll((down, right), dims=(1, 2))
        pictures.append(picture.flip(2) if flip else picture)
    return torch.stack(pictures)


# Checkpoints --------------------------------------------------------------------------------------


def _settings(config: GanTraining, seed: int) -> dict[str, float | int]:
    """What must agree for a run to continue as if uninterrupted; the number of steps may grow."""
    settings = config.model_dump(exclude={"steps", "checkpoint_every"})
    return settings | {"seed": seed, "workers": _ranks()}


def _parts(painter: Painter) -> dict[str, nn.Module | torch.optim.Optimizer]:
    return {
        "generator": painter.generator,
        "average": painter.average,
        "encoder": painter.encoder,
        "discriminator": painter.discriminator,
        "generator_optimizer": painter.generator_optimizer,
        "discriminator_optimizer": painter.discriminator_optimizer,
    }


def _save(out: Path, painters: list[Painter], config: GanTraining, seed: int, step: int, seconds: float) -> None:
    """Write the generators first, then the checkpoint, each by renaming a finished file."""
    if _rank() != 0:
        return
    for painter in painters:
        fit_latents(painter)
    save_generators(painters[0].average, painters[1].average, out / WEIGHTS)
    painted = {p.name: {name: part.state_dict() for name, part in _parts(p).items()} for p in painters}
    state = {"step": step, "seconds": seconds, "settings": _settings(config, seed), "painters": painted}
    partial = out / (CHECKPOINT + ".part")
    torch.save(state, partial)
    partial.replace(out / CHECKPOINT)


def _restore(resume: Path, painters: list[Painter], config: GanTraining, seed: int) -> tuple[int, float]:
    """Load a checkpoint into the painters; the step it was taken after and the seconds trained."""
    path = resume / CHECKPOINT if resume.is_dir() else resume
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no checkpoint there to resume; give the folder of a run of `roadloop train gan`"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        settings, painted = state["settings"], state["painters"]
    except Exception as error:  # torch.load raises errors of many kinds for a damaged file
        raise ValueError(f"{path}: not a readable checkpoint of `roadloop train gan`; start a new run") from error
    for name, value in _settings(config, seed).items():
        if settings.get(name) != value:
            raise ValueError(
                f"{path}: made with {name} {settings.get(name)}, not {value}; resume with the same settings"
            )
    for painter in painters:
        for name, part in _parts(painter).items():
            part.load_state_dict(painted[painter.name][name])
    return int(state["step"]), float(state["seconds"])


def _rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def _ranks() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
