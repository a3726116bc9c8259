"""Small games on real digits, for any test that needs one to be played."""

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

import gan_lightning.variants
from datamodules import DigitsDataModule
from datamodules.components.bicubic import downscale
from datamodules.components.tokens import TextTokenizer
from gan_lightning.callbacks import LastCheckpoint
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.games.music import MusicGame
from gan_lightning.games.sequence import SequenceGame
from gan_lightning.games.sound import SoundGame
from gan_lightning.games.text import TextGame
from gan_lightning.games.video import VideoGame
from gan_lightning.loggers import RunLogger
from gan_lightning.networks import (
    AgeDiscriminator,
    AgeEncoder,
    AttnGANGenerator,
    BagOfWords,
    BEGANAutoencoder,
    BEGANGenerator,
    BiGANDiscriminator,
    BiGANEncoder,
    BiGANGenerator,
    BigGANDiscriminator,
    BigGANGenerator,
    ClassifyingDiscriminator,
    ConditionalMLPDiscriminator,
    ConditionalMLPGenerator,
    ConvAutoencoder,
    ConvDiscriminator,
    ConvGenerator,
    ConvImageEncoder,
    CoupledDiscriminator,
    CoupledGenerator,
    FrameDiscriminator,
    GANCLSDiscriminator,
    GANCLSGenerator,
    HiFiGANDiscriminator,
    HiFiGANGenerator,
    IANDiscriminator,
    IANEncoder,
    IANGenerator,
    InfoGANDiscriminator,
    InfoGANGenerator,
    InstancePatchDiscriminator,
    LAPGANCoarseDiscriminator,
    LAPGANDiscriminator,
    LAPGANGenerator,
    LSTMDiscriminator,
    LSTMGenerator,
    LSTMTextEncoder,
    MidiNetDiscriminator,
    MidiNetGenerator,
    MLPDiscriminator,
    MLPGenerator,
    MultiScalePredictor,
    NoisyClassifier,
    PaletteUNet,
    PatchDiscriminator,
    Pix2CodeGenerator,
    PlainConvDiscriminator,
    PointDiscriminator,
    PointGenerator,
    ProGANDiscriminator,
    ProGANGenerator,
    ProgramDiscriminator,
    R3GANDiscriminator,
    R3GANGenerator,
    RegionEncoder,
    ResidualTranslator,
    ResNetDiscriminator,
    ResNetGenerator,
    SAGANDiscriminator,
    SAGANGenerator,
    SNGANDiscriminator,
    SNGANGenerator,
    SoftplusGenerator,
    SpecGANDiscriminator,
    SpecGANGenerator,
    SRGANDiscriminator,
    SRResNet,
    StackGANGenerator,
    StackGANPlusPlusGenerator,
    StarGANDiscriminator,
    StarGANGenerator,
    StyleEncoder,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
    StyleGANDiscriminator,
    StyleGANGenerator,
    TextCNN,
    TextDiscriminator,
    UNet,
    WaveGANDiscriminator,
    WaveGANGenerator,
)
from gan_lightning.variants import (
    LAPGAN,
    SRGAN,
    AgeCGAN,
    AttnGAN,
    CoGAN,
    Colorization,
    CycleGAN,
    GumbelGAN,
    HiFiGAN,
    MidiNet,
    Pix2Code,
    Pix2Pix,
    SeqGAN,
    StackGAN,
    StackGANPlusPlus,
    StarGAN,
)

VARIANTS: list[type[AdversarialModule]] = [
    value
    for value in vars(gan_lightning.variants).values()
    if inspect.isclass(value) and issubclass(value, AdversarialModule)
]

IMAGE_VARIANTS = [variant for variant in VARIANTS if not hasattr(variant, "medium")]
"""Those whose samples are images, and not sounds, texts or the like."""

SMALL_NETWORKS: dict[Any, dict[str, Any]] = {
    AgeDiscriminator: {"width": 4},
    AgeEncoder: {"width": 4},
    ClassifyingDiscriminator: {"width": 2},
    InfoGANGenerator: {"width": 2},
    InfoGANDiscriminator: {"width": 2},
    ConvGenerator: {"width": 4},
    ConvDiscriminator: {"width": 4},
    PlainConvDiscriminator: {"width": 4},
    BEGANGenerator: {"width": 2},
    BEGANAutoencoder: {"width": 2, "code_dim": 4},
    MLPGenerator: {"hidden": 16},
    MLPDiscriminator: {"hidden": 8, "pieces": 2},
    ConditionalMLPGenerator: {"latent_hidden": 8, "label_hidden": 8, "hidden": 16},
    ConditionalMLPDiscriminator: {"image_hidden": 8, "label_hidden": 4, "hidden": 8},
    ResNetGenerator: {"width": 4},
    ResNetDiscriminator: {"width": 4},
    SNGANGenerator: {"width": 4},
    SNGANDiscriminator: {"width": 4},
    R3GANGenerator: {"width": 8, "n_blocks": 1},
    R3GANDiscriminator: {"width": 8, "n_blocks": 1},
    ProGANGenerator: {"channel_base": 32, "max_channels": 8},
    ProGANDiscriminator: {"channel_base": 32, "max_channels": 8},
    StyleGANGenerator: {"channel_base": 32, "max_channels": 8, "style_dim": 6, "mapping_depth": 2},
    StyleGANDiscriminator: {"channel_base": 32, "max_channels": 8},
    StyleGAN2Generator: {"channel_base": 64, "max_channels": 8, "style_dim": 6, "mapping_depth": 2},
    StyleGAN2Discriminator: {"channel_base": 64, "max_channels": 8},
    SAGANGenerator: {"width": 4},
    SAGANDiscriminator: {"width": 4},
    BigGANGenerator: {"width": 2, "attention": 8, "shared_dim": 4},
    BigGANDiscriminator: {"width": 2, "attention": 8},
    LAPGANGenerator: {"width": 4},
    LAPGANDiscriminator: {"width": 4},
    BiGANGenerator: {"hidden": 8},
    BiGANEncoder: {"hidden": 8},
    BiGANDiscriminator: {"hidden": 8},
    IANGenerator: {"width": 4},
    IANDiscriminator: {"width": 4, "n_kernels": 4},
    IANEncoder: {"hidden": 8},
    CoupledGenerator: {"width": 2},
    CoupledDiscriminator: {"width": 2},
    ConvAutoencoder: {"width": 2},
    SoftplusGenerator: {"hidden": 16},
    NoisyClassifier: {"width": 16},  # of few rectifiers all may be off, and no gradient comes through
    UNet: {"width": 2},
    PaletteUNet: {"width": 2},
    PatchDiscriminator: {"width": 4, "n_layers": 1},
    InstancePatchDiscriminator: {"width": 4, "n_layers": 1},
    PointGenerator: {"hidden": 8},
    PointDiscriminator: {"hidden": 8},
    ResidualTranslator: {"width": 2, "n_blocks": 1},
    StarGANGenerator: {"width": 2, "n_blocks": 1},
    StarGANDiscriminator: {"width": 2},
    SRResNet: {"width": 2, "n_blocks": 1},
    SRGANDiscriminator: {"width": 2, "hidden": 4},
    AttnGANGenerator: {"width": 4, "n_blocks": 1},
    StackGANGenerator: {"width": 4, "n_blocks": 1},
    StackGANPlusPlusGenerator: {"width": 4, "n_blocks": 1},
    TextDiscriminator: {"width": 2},
    RegionEncoder: {"width": 2},
    BagOfWords: {"embed_dim": 8},
    LSTMGenerator: {"embed_dim": 8, "hidden": 8},
    LSTMDiscriminator: {"embed_dim": 8, "hidden": 8},
    TextCNN: {"embed_dim": 8, "widths": (1, 2, 3), "filters": (4, 4, 4)},
    LSTMTextEncoder: {"embed_dim": 8, "word_dim": 4},
    ConvImageEncoder: {"width": 4},
    GANCLSGenerator: {"width": 4, "text_dim": 8},
    GANCLSDiscriminator: {"width": 4, "text_dim": 8},
    StyleEncoder: {"width": 4},
    MultiScalePredictor: {"width": 2, "n_scales": 2},
    FrameDiscriminator: {"width": 2, "hidden": 8},
    WaveGANGenerator: {"width": 2},
    SpecGANGenerator: {"width": 2},
    SpecGANDiscriminator: {"width": 2},
    HiFiGANGenerator: {"width": 4, "rates": [4, 2], "kernels": [8, 4], "block_kernels": [3], "dilations": [[1, 2]]},
    HiFiGANDiscriminator: {"width": 4, "periods": [2], "n_scales": 1},
    WaveGANDiscriminator: {"width": 2},
    MidiNetGenerator: {"width": 4, "hidden": 16},
    MidiNetDiscriminator: {"width": 4, "hidden": 16},
    Pix2CodeGenerator: {"width": 2, "hidden": 8, "token_hidden": 8, "decoder_hidden": 8},
    ProgramDiscriminator: {"width": 2},
}
"""How to make each network small; a variant that brings a network of its own adds its line here."""


TEXTS = [f"a {size} {name}" for size, name in zip(2 * ["small", "big"], ["zero", "five", "one", "nine"], strict=True)]
_NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TOKENIZER = TextTokenizer.train([*TEXTS, *_NAMES], max_tokens=5)
"""Maps the texts that go with the digits to tokens."""

OWN_ARGUMENTS: dict[type[AdversarialModule], Callable[[int], dict[str, Any]]] = {
    LAPGAN: lambda side: {
        "coarse_generator": partial(MLPGenerator, hidden=16),
        "coarse_discriminator": partial(LAPGANCoarseDiscriminator, hidden=8),
    },
    SRGAN: lambda side: {"condition_shape": (1, side // 2, side // 2), "content": "mse"},
    AgeCGAN: lambda side: {"num_classes": 10},
    # Elsewhere at every second step.
    MidiNet: lambda side: {"discriminator_interval": 1},
    HiFiGAN: lambda side: {"n_mels": 8, "n_fft": 32, "highest": 3000.0},
    # Its convolutions take 36 pixels; without a weight it has no adversary.
    Pix2Code: lambda side: {"image_shape": (1, *2 * [side * -(-44 // side)]), "adversarial_weight": 0.1},
    # Two stages, for images of 16 pixels are small; what is special to a stage 2 comes within a few steps.
    AttnGAN: lambda side: {"condition_dim": 4, "n_stages": 2},
    StackGANPlusPlus: lambda side: {"condition_dim": 4, "n_stages": 2, "color_weight": 1.0},
    # A step of maximum likelihood, in which the discriminator learns too, and then the game.
    SeqGAN: lambda side: {"pretrain_steps": 1, "discriminator_pretrain_steps": 1, "n_rollouts": 2},
    GumbelGAN: lambda side: {"pretrain_steps": 1, "discriminator_pretrain_steps": 1},
    StackGAN: lambda side: {"condition_dim": 4, "scale": 2, "stage1_steps": 4},
}
"""What a variant needs beside its networks, by the side of the images; few need anything."""


def small(variant: type[AdversarialModule], side: int = 16, **arguments: Any) -> AdversarialModule:
    """The variant with its own kinds of network, made small, for one-channel images."""
    torch.manual_seed(0)  # the same networks each time
    for player in ("generator", "discriminator", "encoder", "text_encoder", "image_encoder"):
        network = argument_of(variant, player)
        if player in arguments or network is None or network.default is network.empty:
            continue
        assert network.default in SMALL_NETWORKS, f"say how to make {network.default} small in {__file__}"
        arguments[player] = partial(network.default, **SMALL_NETWORKS[network.default])
    shape = (1, side, side)
    told = {"image_shape": shape, "condition_shape": shape, "latent_dim": 4, "attributes": ["odd", "small"]}
    told |= {"tokenizer": TOKENIZER.json, "texts": TEXTS, "n_samples": side * side, "sample_rate": 8000}
    own = OWN_ARGUMENTS[variant](side) if variant in OWN_ARGUMENTS else {}
    for name, value in {**told, **own}.items():
        if argument_of(variant, name) is not None:
            arguments.setdefault(name, value)
    return variant(**arguments)


def argument_of(variant: type, name: str) -> inspect.Parameter | None:
    """A constructor argument of a class, its own or one that it hands on."""
    for level in variant.__mro__:
        if name in (parameters := inspect.signature(level).parameters):
            return parameters[name]
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            break
    return None


class DigitsFor(DigitsDataModule):
    """The digits, as a game wants them: with their classes, with a partner, in two domains."""

    def __init__(self, game: AdversarialModule, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.make = next((make for kind, make in EXAMPLES.items() if isinstance(game, kind)), None)

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        if self.make is None:
            return batch
        # In training a batch is a list of the batches of a step.
        return [self.make(*raw) for raw in batch] if isinstance(batch[0], list | tuple) else self.make(*batch)


def _mirrored(digits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return digits, digits.flip(-1)


def _domains(digits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    return {"A": digits, "B": 255 - digits}


def _attributes(digits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a digit is odd, and whether it is small."""
    return digits, torch.stack([labels % 2, labels < 5], dim=1).float()


def _described(digits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """With the digit's name, and whether it is small or big; and with that of another one."""
    texts = [f"a {'small' if label < 5 else 'big'} {_NAMES[label % 10]}" for label in labels.tolist()]
    wrong = [_NAMES[(label + 1) % 10] for label in labels.tolist()]
    return {"images": digits, "tokens": TOKENIZER.encode(texts), "wrong_tokens": TOKENIZER.encode(wrong)}


def _halved(digits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return digits, downscale(digits, 2)


def _rolling(digits: Tensor, labels: Tensor) -> Tensor:
    """Clips of a digit that moves a pixel a frame to the right, N x 6 x 1 x H x W."""
    return torch.stack([digits.roll(i, dims=-1) for i in range(6)], dim=1)


def _spelled(digits: Tensor, labels: Tensor) -> Tensor:
    """Five tokens that are a function of a digit's pixels; at 16 x 16 no two digits have the same: N x 5."""
    pixels = digits.flatten(1).long()
    squares = torch.arange(1, pixels.shape[1] + 1).square()
    sums = [(pixels * (squares * (97 + i) % 997)).sum(1) for i in range(TOKENIZER.max_tokens)]
    # No padding before the end, so that all of them count.
    return 1 + torch.stack(sums, dim=1) % (TOKENIZER.n_tokens - 1)


def _sounding(digits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The pixels of a digit one after the other, as a sound, N x 1 x (H W), int16."""
    return (digits.flatten(1)[:, None].short() - 128) * 256, labels


def _barred(digits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """A digit as a bar, its mirror as the bar before, its label as the root of a minor chord."""
    chords = torch.eye(13)[labels % 12]
    chords[:, 12] = 1
    return {"bars": digits, "before": digits.flip(-1), "chords": chords}


def _programmed(digits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """A digit, enlarged, with every other pixel of every other row as a token of its program."""
    factor = -(-44 // digits.shape[-1])
    images = digits.repeat_interleave(factor, dim=-1).repeat_interleave(factor, dim=-2)
    levels = 3 + digits[..., ::2, ::2].flatten(1).long() // 16
    ends = [torch.full((len(digits), 1), end) for end in (1, 2)]
    return {"images": images, "tokens": torch.cat([ends[0], levels, ends[1]], dim=1)}


EXAMPLES: dict[type[AdversarialModule], Callable[[Tensor, Tensor], Any]] = {
    Pix2Pix: _mirrored,
    Colorization: _mirrored,
    CycleGAN: _domains,
    CoGAN: _domains,
    StarGAN: _attributes,
    SRGAN: _halved,
    TextGame: _described,
    EmbeddingGame: _described,
    VideoGame: _rolling,
    MusicGame: _barred,
    Pix2Code: _programmed,
    SequenceGame: _spelled,
    SoundGame: _sounding,
}
"""What a game that does not learn from images and classes makes of them; a variant of that kind adds its line here."""


def example_batch(game: AdversarialModule, n: int, side: int = 16, shape: tuple[int, int, int] | None = None) -> Any:
    """One batch of noise, as the loader of a game's data would give it: of a side, or of another shape."""
    raw = (torch.randint(0, 256, (n, *(shape or (1, side, side))), dtype=torch.uint8), torch.arange(n))
    make = next((make for kind, make in EXAMPLES.items() if isinstance(game, kind)), None)
    return make(*raw) if make else raw


def flat(value: Any) -> list[Tensor]:
    """The tensors of an exchange's part, one image or several."""
    return [value] if isinstance(value, Tensor) else list(value.values())


def vivid(variant: type[AdversarialModule], **arguments: Any) -> Any:
    """A small game whose samples differ to the eye, though it was never trained."""
    model = small(variant, **arguments)
    with torch.no_grad():
        for weight in model.averaged_generator.parameters():
            weight.mul_(5)
    return model


class Crash(pl.Callback):
    """Dies in the middle of a step, when a batch has been fetched and not used."""

    class Died(RuntimeError): ...

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise self.Died


def play(
    model: AdversarialModule,
    steps: int,
    folder: Path,
    *,
    seed: int = 0,
    batch_size: int = 100,
    n_images: int = 1597,
    side: int = 16,
    resume: bool = False,
    save_every: int | None = None,
    crash_at: int | None = None,
    callbacks: list[pl.Callback] | None = None,
    accelerator: str = "cpu",
    onednn: bool = False,
    **trainer_arguments: Any,
) -> pl.Trainer:
    """Train on the digits for some steps, in the run directory ``folder / "run" / "version_0"``.

    Checkpoints are written after every ``save_every`` steps. None: after every step of a run that crashes or resumes,
    and of others at the end alone. ``n_images`` of the digits are for training: an epoch may be short.

    Unless ``onednn``, oneDNN is off: it compiles a kernel for each shape, which takes longer than some steps of tiny
    networks. The configs of all variants run with it, among the tests of the project.
    """
    pl.seed_everything(seed, verbose=False)
    if save_every is None:
        save_every = 1 if resume or crash_at is not None else max(steps, 1)
    extra = [Crash(crash_at)] if crash_at is not None else []
    trainer = pl.Trainer(
        max_steps=steps,
        accelerator=accelerator,
        logger=RunLogger(str(folder), "run", 0),
        log_every_n_steps=1,
        num_sanity_val_steps=0,
        enable_model_summary=False,
        enable_progress_bar=False,
        callbacks=[LastCheckpoint(save_every), *(callbacks or []), *extra],
        **trainer_arguments,
    )
    last = run_directory(folder) / "checkpoints" / "last.ckpt"
    ckpt_path = last if resume and last.exists() else None
    held_out = {"val_size": 100, "test_size": 1697 - n_images}
    data = DigitsFor(model, batch_size=batch_size, image_size=side, seed=seed, **held_out)
    enabled, torch.backends.mkldnn.enabled = torch.backends.mkldnn.enabled, onednn
    try:
        trainer.fit(model, data, ckpt_path=ckpt_path, weights_only=True)
    except Crash.Died:
        assert crash_at is not None
    finally:
        torch.backends.mkldnn.enabled = enabled
    return trainer


def run_directory(folder: Path) -> Path:
    return folder / "run" / "version_0"


def last_state(folder: Path) -> dict[str, Any]:
    """What the newest checkpoint holds of the game: weights, average, optimisers, schedulers, step, seed."""
    checkpoint = torch.load(run_directory(folder) / "checkpoints" / "last.ckpt", weights_only=True)
    names = ("state_dict", "optimizer_states", "lr_schedulers", "global_step", "epoch", "gan_lightning")
    return {name: checkpoint[name] for name in names}


def metrics_file(folder: Path) -> str:
    return (run_directory(folder) / "metrics.csv").read_text()


def assert_same_bits(one: Any, other: Any, where: str = "") -> None:
    """Equal to the last bit, through dicts and sequences."""
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            assert_same_bits(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same_bits(*pair, f"{where}/{number}")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), f"{where} differs"
    else:
        assert one == other, where


class Answers(nn.Module):
    """A discriminator that says what it is told to of real images (zeros) and of fakes (ones)."""

    def __init__(self, real: list[float], fake: list[float]) -> None:
        super().__init__()
        self.real = torch.tensor(real)
        self.fake = torch.tensor(fake)

    def forward(self, images: Tensor) -> Tensor:
        return self.fake if bool(images.flatten()[0] == 1) else self.real


def answered(
    model: AdversarialModule, real: list[float], fake: list[float]
) -> tuple[dict[str, float], dict[str, float]]:
    """The discriminator's and the generator's terms when the discriminator answers so; nothing is symmetric."""
    model.discriminator = Answers(real, fake)
    batch = GameBatch(torch.zeros(2, 1, 8, 8), fake=torch.ones(2, 1, 8, 8))
    return tuple(  # type: ignore[return-value]
        {name: term.item() for name, term in loss(batch).items()}
        for loss in (model.discriminator_loss, model.generator_loss)
    )


def save_checkpoint(game: AdversarialModule, path: Path) -> Path:
    """Write what sampling needs of a checkpoint, of a game that no trainer has."""
    checkpoint: dict[str, Any] = {"state_dict": game.state_dict(), "hyper_parameters": dict(game.hparams)}
    game.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, path)
    return path
