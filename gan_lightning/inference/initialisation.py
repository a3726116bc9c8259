"""Initial weights of a game from those of another run, or from published networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from datamodules.components.first_process import rank_zero_warn
from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.players import PLAYERS
from gan_lightning.inference.checkpoint import CheckpointError, read_model
from gan_lightning.inference.published import reference_players
from gan_lightning.inference.published.reading import Weights, state_dicts
from gan_lightning.trainer.state_dict import uncompiled_name

Files = str | Path | Mapping[str, str | Path]
"""A file for both players, or one for each: ``generator``, ``discriminator``, or a part such as ``generator.AtoB``."""

ENCODERS = {"text_encoder": ("text_encoder", "generator"), "image_encoder": ("image_encoder", "discriminator")}
"""Networks that a game of texts keeps beside its players, and what they are in the game that trained them."""

_LISTED = 6  # largest number of layers named in a message


@dataclass(frozen=True)
class Initialisation:
    """What one player took of a file.

    Attributes:
        player: The player, or the part of it.
        path: The file.
        n_tensors: Number of the player's parameters and buffers.
        n_taken: How many of them have the file's values.
        missing: Layers that keep their initial values, for the file has none of that name and shape; with both shapes
            where these differ, and tensor by tensor where others of the layer were taken.
        unused: Layers that only the file has.
    """

    player: str
    path: str
    n_tensors: int
    n_taken: int
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        if not self.n_taken:
            return f"{self.player}: nothing of {self.path}."
        if not self.missing and not self.unused:
            return f"{self.player}: all of {self.path}."
        parts = [f"{self.player}: {self.n_taken} of {self.n_tensors} tensors, of {self.path}"]
        parts += [f"new: {_listed(self.missing)}"] if self.missing else []
        parts += [f"left out: {_listed(self.unused)}"] if self.unused else []
        return "; ".join(parts) + "."


def init_from(game: AdversarialModule, files: Files) -> list[Initialisation]:
    """Initialise players with the weights of another run, or of published networks, where names and shapes agree.

    Training then begins at step 0: optimisers, schedules and counts are new. The generator and its average both begin
    with the *average* of the file, if it has one, for its samples are those that one knows of that run. The file's game
    may be another variant, without labels, or of another resolution: a tensor is taken if the player has one of that
    name and shape, in StyleGAN2 for maps of the same resolution. All others keep their initial values.

    Args:
        game: Changed in place.
        files: A checkpoint of a run or a published file (:mod:`gan_lightning.inference.published`) for both players,
            either of which it may lack; or files by player, ``{"generator": "netG.pth"}``, or by part of one,
            ``{"generator.AtoB": "latest_net_G_A.pth"}``. Of a game of texts ``text_encoder`` may be named, and
            ``image_encoder`` if it has one: of a checkpoint of a game of encoders, such as JointEmbedding or DAMSM, or
            of another game of texts, or as AttnGAN's authors published them. All their weights must fit, and the
            tokenizer must be the same.

    Returns:
        What each player took and what it did not; ``str`` of it is a sentence.

    Raises:
        CheckpointError: A file cannot be read, nothing in it fits, or nothing fits a player that is named.
        ValueError: No file is named, or the game has no such player.
    """
    given = files_by_player(files)
    if not given or not all(given.values()):  # such as a variable of the shell that is not set
        raise ValueError(f"init_from is {files!r}: it must name a file for both players, or one for each or either.")
    state = game.state_dict()  # Under uncompiled names, as in checkpoints.
    found = {path: _players_of(path) for path in given.values()}
    reports = []
    for player, path in given.items():
        own = _under(state, player)
        root, _, part = player.partition(".")
        if root in ENCODERS and own:
            reports.append(_take_encoder(game, root, path, state))
            continue
        if root not in PLAYERS or not own:
            raise ValueError(f"init_from names {player!r}, and {type(game).__name__} has {_listed(_players(game))}.")
        # A file of a single network is that of any part.
        theirs = _under(found[path].get(root, {}), part) or found[path].get(root, {})
        # A network whose first layer is nearest the image numbers its layers otherwise at another resolution.
        if renamed := getattr(game.get_submodule(player), "by_resolution", None):
            theirs = renamed(theirs)
        taken = {name: weight for name, weight in theirs.items() if name in own and own[name].shape == weight.shape}
        learned = {uncompiled_name(name) for name, _ in game.get_submodule(player).named_parameters()}
        if taken.keys().isdisjoint(learned):
            taken = {}  # Counts of BatchNorm fit anywhere.
            if isinstance(files, Mapping):
                raise CheckpointError(f"Nothing in {path} fits the {player} of this {type(game).__name__}.")
        places = [player, f"ema.module.{part}".rstrip(".")] if root == "generator" and game.ema else [player]
        state.update({f"{place}.{name}": weight for place in places for name, weight in taken.items()})
        reports.append(_report(player, path, own, theirs, taken))
    if not any(report.n_taken for report in reports):
        raise CheckpointError(
            f"Nothing in {files} fits this {type(game).__name__}: no weight of its players has the name and the shape "
            "of one in the file."
        )
    game.load_state_dict(state)
    game.initialised_from = given
    return reports


def _take_encoder(game: AdversarialModule, name: str, path: str, state: dict[str, Tensor]) -> Initialisation:
    """Put the encoder of a checkpoint into a state dict.

    Raises:
        CheckpointError: The file has none, or another one.
    """
    own = _under(state, f"{name}.network")
    try:
        checkpoint = read_model(path)
    except CheckpointError:
        if not state_dicts(path):
            raise
        return _take_published_encoder(game, name, path, state)
    theirs = checkpoint["state_dict"]
    # A game of texts keeps its encoder, a game of encoders trains it; of an average there the average.
    found = (
        _under(theirs, f"{name}.network")
        or ("tokenizer" in checkpoint["hyper_parameters"] and name == "text_encoder" and _under(theirs, "ema.module"))
        or _under(theirs, ENCODERS[name][1])
    )
    wanted = checkpoint["hyper_parameters"].get("tokenizer")
    if wanted is None or found.keys() != own.keys() or any(own[each].shape != found[each].shape for each in own):
        raise CheckpointError(
            f"{path} has no {name} like that of this {type(game).__name__}: give a checkpoint of JointEmbedding or "
            f"DAMSM on the same data, and model.{name} as that run's config.yaml has it."
        )
    if wanted != game.hparams.get("tokenizer"):
        raise CheckpointError(
            f"The {name} of {path} was trained with another vocabulary than this {type(game).__name__} has: train "
            "both with the same data and the same options of it."
        )
    state.update({f"{name}.network.{each}": weight for each, weight in found.items()})
    return Initialisation(name, path, len(own), len(own), (), ())


def _take_published_encoder(game: AdversarialModule, name: str, path: str, state: dict[str, Tensor]) -> Initialisation:
    """Put a published encoder into a state dict. Its vocabulary is not in its file, and must be the data's.

    Raises:
        CheckpointError: The file has none, or another one.
    """
    found = reference_players(path).get(ENCODERS[name][1], nn.Identity()).state_dict()
    own = _under(state, f"{name}.network")
    other = [
        f"{each} ({_sides(own[each])}, there {_sides(found[each])})"
        for each in own.keys() & found.keys()
        if own[each].shape != found[each].shape
    ]
    if other or found.keys() != own.keys():
        more = "" if name == "image_encoder" else ", and data.tokenizer as its vocabulary is"
        raise CheckpointError(
            f"{path} has no {name} like that of this {type(game).__name__}"
            f"{f', {_listed(sorted(other))}' if other else ''}: give model.{name} as the file has it{more}."
        )
    if name == "text_encoder":
        rank_zero_warn(
            f"The vocabulary of {path} is not in it: its word i is taken to be token i of the data's tokenizer."
        )
    state.update({f"{name}.network.{each}": weight for each, weight in found.items()})
    return Initialisation(name, path, len(own), len(own), (), ())


def files_by_player(files: Files) -> dict[str, str]:
    """Files by player, as a game remembers them."""
    named = files if isinstance(files, Mapping) else dict.fromkeys(sorted(PLAYERS, reverse=True), files)
    return {player: str(path) for player, path in named.items()}


def _players_of(path: str) -> dict[str, Weights]:
    """State dicts of the players in a file, averages before others."""
    try:
        state: Weights = read_model(path)["state_dict"]
    except CheckpointError:
        # Neither kind of file: the first message stands, which says what a checkpoint is.
        if not state_dicts(path):
            raise
        return {player: network.state_dict() for player, network in reference_players(path).items()}
    return {
        "generator": _under(state, "ema.module") or _under(state, "generator"),
        "discriminator": _under(state, "discriminator"),
    }


def _under(state: Weights, place: str) -> dict[str, Tensor]:
    """What a state dict has of a part, by the part's own names."""
    prefix = f"{place}." if place else ""
    return {name.removeprefix(prefix): weight for name, weight in state.items() if name.startswith(prefix)}


def _report(player: str, path: str, own: Weights, theirs: Weights, taken: Weights) -> Initialisation:
    ours, partly = {_layer(name) for name in own}, {_layer(name) for name in taken}
    missing: dict[str, str] = {}
    for name in (name for name in own if name not in taken):
        # A layer once, with its first tensor of another shape; of a layer that is taken in part each tensor.
        place = name if _layer(name) in partly else _layer(name)
        other = theirs.get(name)
        missing.setdefault(place, "" if other is None else f" ({_sides(own[name])}, there {_sides(other)})")
    unused = dict.fromkeys(layer for name in theirs if name not in taken and (layer := _layer(name)) not in ours)
    new = tuple(f"{place}{shapes}" for place, shapes in missing.items())
    return Initialisation(player, path, len(own), len(taken), new, tuple(unused))


def _layer(name: str) -> str:
    # A parametrised weight, as of spectral norm, is several tensors of a layer.
    return name.partition(".parametrizations.")[0] if ".parametrizations." in name else name.rpartition(".")[0]


def _sides(weight: Tensor) -> str:
    return " x ".join(map(str, weight.shape)) or "one number"


def _players(game: AdversarialModule) -> list[str]:
    """The players of a game, and their parts where these are several networks."""
    several = {player: network for player in PLAYERS if isinstance(network := getattr(game, player), nn.ModuleDict)}
    parts = [f"{player}.{name}" for player in several for name in several[player]]
    return [*sorted(PLAYERS, reverse=True), *parts, *(name for name in ENCODERS if hasattr(game, name))]


def _listed(names: Iterable[str]) -> str:
    first = [*names]
    more = f" and {len(first) - _LISTED} more" if len(first) > _LISTED else ""
    return ", ".join(first[:_LISTED]) + more
