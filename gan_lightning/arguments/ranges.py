"""Valid ranges of numbers by argument name; a name means the same in every game and network."""

import math
import os
from collections.abc import Mapping
from typing import Any

_LEAST = {
    **dict.fromkeys(
        (
            "width",
            "pieces",
            "depth",
            "n_categories",
            "step_size",
            "T_max",
            "T_0",
        ),
        1,
    ),
    **dict.fromkeys(
        ("latent_dim", "num_classes", "code_dim", "kernel_dim", "n_kernels", "n_reference", "n_attributes", "outputs"),
        1,
    ),
    **dict.fromkeys(("n_critic", "accumulate", "penalty_interval", "shared_dim", "attention"), 1),
    "ema_start": 0,
    **dict.fromkeys(("freeze_generator", "freeze_discriminator"), 0),
    **dict.fromkeys(("generator_penalty_interval", "style_dim", "mapping_depth"), 1),
    **dict.fromkeys(("channel_base", "max_channels", "group_size"), 1),
    **dict.fromkeys(
        ("margin", "balance_rate", "buffer_size", "gamma", "perturbation", "input_noise", "hidden_noise", "slope"), 0
    ),
    "group_width": 1,
    **dict.fromkeys(("embed_dim", "text_dim", "word_dim", "condition_dim"), 1),
    "n_tokens": 3,  # padding, an unknown word, and a known one
    **dict.fromkeys(("ema_half_life", "ema_half_life_updates"), 0),
    "growth": 0,
    **dict.fromkeys(("condition_dim", "embed_dim", "word_dim", "text_dim", "n_tokens", "n_stages"), 1),
    **dict.fromkeys(("n_given", "n_predict", "n_scales"), 1),
    **dict.fromkeys(("largest_hint", "palette_dim"), 1),
    "huber_delta": 0,
    **dict.fromkeys(("max_tokens", "n_rollouts"), 1),
    **dict.fromkeys(("n_bars", "n_conditions", "n_features", "discriminator_interval"), 1),
    **dict.fromkeys(("pretrain_steps", "discriminator_pretrain_steps", "adversarial_learning_rate", "init_std"), 0),
    **dict.fromkeys(("stage1_steps", "gamma_1", "gamma_2", "gamma_3"), 0),
}


def check_limits(arguments: Mapping[str, Any], place: str = "") -> None:
    """Refuse numbers out of range, before anything is made of them.

    Args:
        arguments: Values by their names.
        place: Prefix of the names in a message, such as ``model.generator.``.

    Raises:
        ValueError: A size is below 1, a count (``n_*``) or a coefficient (``*_weight``) is negative, a learning rate is
            infinite, a dropout is not a probability below 1, or the target of real images is none above 0.
    """
    for name, value in arguments.items():
        # True is an int to Python. Other types have been checked by their annotations.
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if "dropout" in name and not 0 <= value < 1:
            raise ValueError(f"{place}{name} is {value}: it must be at least 0 and less than 1.")
        if name.endswith("ema_decay") and not 0 <= value < 1:
            raise ValueError(f"{place}{name} is {value}: it must be at least 0 and less than 1 (None turns EMA off).")
        # ``not value > 0`` and not ``value <= 0``: NaN is refused as well.
        if name in ("gradient_clip_norm", "clip_limit", "ema_ramp_up", "hint_probability") and not value > 0:
            raise ValueError(f"{place}{name} is {value}: it must be greater than 0.")
        if name.endswith("probability") and not 0 <= value <= 1:
            raise ValueError(f"{place}{name} is {value}: it must be at least 0 and at most 1.")
        if name == "lr" and not math.isfinite(value):
            raise ValueError(f"{place}{name} is {value}: it must be a finite number.")
        if name == "real_target" and not 0 < value <= 1:
            raise ValueError(f"{place}{name} is {value}: it must be greater than 0 and at most 1.")
        # By name: an argument means the same in every network and game.
        least = _least(name)
        if least is not None and not value >= least:
            raise ValueError(f"{place}{name} is {value}: it must be at least {least}.")


def _least(name: str) -> int | None:
    # ``hidden``, ``label_hidden``: units of a layer; ``n_hidden``: a number of layers, which may be 0.
    if name.endswith("hidden") and not name.startswith("n_"):
        return 1
    return 0 if (name.startswith("n_") and name not in _LEAST) or f"_{name}".endswith("_weight") else _LEAST.get(name)


def check_whole(minimum: int, /, **counts: Any) -> None:
    """Raise a ValueError that names the first of the counts that is no whole number from ``minimum`` up."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < minimum:
            raise ValueError(f"{name} is {count!r}: it must be a whole number, at least {minimum}.")


def check_whole_if_given(minimum: int, /, **counts: Any) -> None:
    """The same of counts that may be None."""
    check_whole(minimum, **{name: count for name, count in counts.items() if count is not None})


def check_seed(**seeds: Any) -> None:
    """Raise a ValueError that names the first seed that is no whole number; any is taken, negative ones too."""
    for name, seed in seeds.items():
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ValueError(f"{name} is {seed!r}: it must be a whole number.")


def check_flag(**flags: Any) -> None:
    """Raise a ValueError that names the first that is neither True nor False."""
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise ValueError(f"{name} is {flag!r}: it must be true or false.")


def check_flag_if_given(**flags: Any) -> None:
    """The same of flags that may be None."""
    check_flag(**{name: flag for name, flag in flags.items() if flag is not None})


def check_paths(**paths: Any) -> None:
    """Raise a ValueError that names the first that is no path, no mapping of names to paths, and not None."""
    for name, path in paths.items():
        several = path.values() if isinstance(path, Mapping) else [] if path is None else [path]
        for each in several:
            if not isinstance(each, str | os.PathLike) or not os.fspath(each):
                raise ValueError(f"{name} is {path!r}: it must be a path.")
