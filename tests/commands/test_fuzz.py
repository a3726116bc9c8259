"""Configs and image files that nobody would write: each is either taken, or refused in one sentence."""

import contextlib
import copy
import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from datamodules.components import decoding, files
from gan_lightning.cli import main
from gan_lightning.commands import training
from gan_lightning.commands.training_cli import TrainingCLI

QUICK = settings(derandomize=True, deadline=None, database=None, suppress_health_check=[*HealthCheck])
CONFIG: dict[str, Any] = {
    "name": "fuzzed",
    "seed_everything": 3,
    "ckpt_path": None,
    "model": {
        "class_path": "DCGAN",
        "init_args": {
            "latent_dim": 8,
            "generator": {"class_path": "ConvGenerator", "init_args": {"width": 8, "batch_norm": True}},
            "generator_optimizer": {"class_path": "DCGANAdam", "init_args": {"lr": 1e-3, "betas": [0.5, 0.9]}},
            "generator_scheduler": {"class_path": "StepLR", "init_args": {"step_size": 3}},
            "r1_weight": 0.1,
            "n_critic": 2,
            "gradient_clip_norm": None,
            "ema_decay": 0.9,
        },
    },
    "data": {"class_path": "DigitsDataModule", "init_args": {"batch_size": 10, "val_size": 5}},
    "trainer": {
        "accelerator": "cpu",
        "max_steps": 5,
        "precision": "32-true",
        "val_check_interval": 2,
        "logger": False,
        "callbacks": [{"class_path": "SampleGrid", "init_args": {"every_n_steps": 2, "scale": None}}],
    },
}

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Where something stands in a config."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*place, key)
        yield from places(part, (*place, key))


PLACES = [*places(CONFIG)]
NAMES = sorted({str(key) for place in PLACES for key in place})
words = st.sampled_from([*NAMES, "", "null", "DCGAN", "torch.nn", "os.system", "a.b", "../x", "--x", "{", "é"])
texts = words | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2))


@st.composite
def configs(draw: Any) -> Any:
    """A valid config with one to three slips: another value, a key that is misspelt, left out or too many."""
    config = copy.deepcopy(CONFIG)
    for _ in range(draw(st.integers(1, 3))):
        *way, key = draw(st.sampled_from(PLACES))
        home: Any = config
        with contextlib.suppress(KeyError, IndexError, TypeError):  # An earlier slip has taken the place away.
            for step in way:
                home = home[step]
            slip = draw(st.sampled_from(["value", "name", "missing", "extra"]))
            if slip == "value":
                home[key] = draw(values)
            elif slip == "extra" and isinstance(home, dict):
                home[draw(texts)] = draw(values)
            elif slip == "name" and isinstance(home, dict):
                home[f"{key}{draw(texts)}"] = home.pop(key)
            else:
                del home[key]
    return config


def is_taken_or_refused(config: Any) -> None:
    Path("c.yaml").write_text(yaml.safe_dump(config))
    said, code = io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(["fit", "--config", "c.yaml"])
        except SystemExit as exit:
            code = int(exit.code or 0)
    lines = [line for line in said.getvalue().splitlines() if "Seed set" not in line]
    if code:
        assert code == 2
        assert len(lines) == 1, lines
        assert lines[0].startswith("gan-lightning fit: ")
        assert len(lines[0].split()) > 4, lines


@pytest.fixture
def _only_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(TrainingCLI, "instantiate_classes", lambda self: None)  # a network may be a million wide
    monkeypatch.setattr(training, "_run_with_rollbacks", TrainingCLI)


@pytest.mark.usefixtures("_only_parsed")
@settings(QUICK, max_examples=30)
@given(configs())
def test_a_config_is_taken_or_refused_in_one_sentence(config: Any) -> None:
    is_taken_or_refused(config)


@pytest.mark.slow
@pytest.mark.usefixtures("_only_parsed")
@settings(QUICK, max_examples=200)
@given(configs())
def test_so_are_many_configs(config: Any) -> None:
    is_taken_or_refused(config)


MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "WEBP": ["RGB", "RGBA"],
    "GIF": ["1", "L", "P", "RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"],
    "AVIF": ["L", "RGB", "RGBA"],
}


@st.composite
def images(draw: Any) -> bytes:
    """A file of any format and mode that we read."""
    kind = draw(st.sampled_from([*MODES]))
    mode, size = draw(st.sampled_from(MODES[kind])), draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 2**16, (size[1], size[0], 4))
    if mode == "I;16":
        image = Image.fromarray(noise[..., 0].astype(np.uint16))
    else:
        image = Image.fromarray((noise % 256).astype(np.uint8), "RGBA").convert("RGB" if mode == "CMYK" else "RGBA")
        image = image.convert("RGB").convert(mode) if mode in ("P", "1", "CMYK") else image.convert(mode)
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@st.composite
def broken_images(draw: Any) -> bytes:
    """A file that was cut short, or has a few wrong bits, or was never an image."""
    how = draw(st.sampled_from(["cut", "bits", "noise", "empty", "sides"]))
    if how == "sides":
        return png_of(draw(st.sampled_from([0, 1, 2**16, 2**31 - 1])), draw(st.sampled_from([0, 1, 2**31 - 1])))
    if how == "empty":
        return b""
    if how == "noise":
        return draw(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF"])) + draw(st.binary())
    whole = bytearray(draw(images()))
    if how == "cut":
        return bytes(whole[: draw(st.integers(0, len(whole) - 1))])
    for _ in range(draw(st.integers(1, 8))):
        whole[draw(st.integers(0, len(whole) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(whole)


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it has these sides."""
    chunks = b"\x89PNG\r\n\x1a\n"
    for name, body in [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    ]:
        chunks += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return chunks


def refusals(content: bytes, channels: int) -> list[str]:
    """Why a file is refused before training starts, and when it is decoded; nothing if it is not."""

    def decode(_: int) -> None:
        decoded = decoding.decode(io.BytesIO(content), 4, channels)
        assert decoded.shape == (channels, 4, 4)
        assert decoded.dtype == np.uint8

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL's, of sizes and of metadata
        checked = files.find_broken(range(1), lambda _: decoding.check(io.BytesIO(content)), "checking")
        decoded = files.find_broken(range(1), decode, "decoding")
    return [*checked.values(), *decoded.values()]


def is_read_or_refused(content: bytes, channels: int) -> None:
    for why in refusals(content, channels):
        assert why.strip()
        assert "\n" not in why
        assert "assert" not in why


@settings(QUICK, max_examples=60)
@given(images(), st.sampled_from([1, 3]))
def test_an_image_of_any_mode_is_read(content: bytes, channels: int) -> None:
    assert refusals(content, channels) == []


@settings(QUICK, max_examples=300)
@given(broken_images(), st.sampled_from([1, 3]))
def test_a_broken_image_is_read_or_refused_with_a_reason(content: bytes, channels: int) -> None:
    is_read_or_refused(content, channels)


@pytest.mark.slow
@settings(QUICK, max_examples=5_000)
@given(broken_images(), st.sampled_from([1, 3]))
def test_so_are_many_broken_images(content: bytes, channels: int) -> None:
    is_read_or_refused(content, channels)
