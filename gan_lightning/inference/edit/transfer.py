"""What an edit of a generated image does to the photograph that it stands for, so that the photograph's detail stays.

A generator shows a photograph only nearly, so its edited image is not what a user wants: it is how the photograph is to
change. Either motion and colours are transferred, as in iGAN, or the difference is blended in where there is one, as in
the Neural Photo Editor.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gan_lightning.metrics.video import flow_of_levels

_ROUNDS = 4
"""Alternations of colour and motion at each level of the pyramid."""
_COARSEST = 8
_COLOR_NOISE = 1e-2
"""Added to the covariance of colours in [-1, 1]: changes of plain areas are offsets."""
_GUIDE_NOISE = 1e-2
_BLUR = 0.7
"""Deviation of the mask's blur in pixels, as in the Neural Photo Editor's code."""


class Change(NamedTuple):
    """How an image turns into another: ``y(p) = x(p + u) + D x(p + u) + b``, everywhere its own u, D and b.

    Attributes:
        motion: u, (right, down) in pixels, 1 x 2 x H x W.
        color: D and, as its last column, b, 1 x C x (C + 1) x H x W.
    """

    motion: Tensor
    color: Tensor

    def of(self, images: Tensor) -> Tensor:
        """Apply it to images of its size, 1 x C x H x W."""
        moved = moved_by(images, self.motion)
        return moved + (self.color[:, :, :-1] * moved[:, None]).sum(2) + self.color[:, :, -1]

    def after(self, first: Change) -> Change:
        """The change of both, ``first`` being the one before."""
        channels = self.color.shape[1]
        shown = moved_by(torch.cat([first.motion, first.color.flatten(1, 2)], dim=1), self.motion)
        color = shown[:, 2:].unflatten(1, (channels, channels + 1))
        both = torch.einsum("nijhw,njkhw->nikhw", self.color[:, :, :-1], color)
        return Change(self.motion + shown[:, :2], self.color + color + both)


def transfer_by_flow(photograph: Tensor, way: Tensor) -> Tensor:
    """Move and colour a photograph as generated images change (Zhu et al., 2016, arXiv 1609.03552, section 4.3).

    From each image of the way to the next, motion and an affine map of colours at each pixel are estimated, which are
    chained, enlarged with the photograph's edges as a guide (He et al., 2010), and applied to the photograph once. No
    code of it was published. Here the paper's smooth maps are those that fit a window around each pixel best: colours
    by least squares, and motion by the method of Lucas and Kanade, in turn, from coarse to fine.

    Args:
        photograph: C x H x W in [-1, 1], of any size.
        way: Generated images from the one of the photograph to the edited one, K x C x h x w in [-1, 1].

    Returns:
        C x H x W in [-1, 1]; where nothing changes on the way the photograph, to the bit.
    """
    photograph, way = photograph.float(), way.float()
    n_channels, (height, width) = way.shape[1], way.shape[2:]
    total = Change(way.new_zeros(1, 2, height, width), way.new_zeros(1, n_channels, n_channels + 1, height, width))
    for before, after in pairwise(way[:, None]):
        total = change_between(before, after).after(total)
    return _enlarged(total, photograph[None]).of(photograph[None])[0].clamp(-1, 1)


def transfer_by_mask(photograph: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """Blend an edit into a photograph where it changes something (Brock et al., 2017, arXiv 1609.07093, section 2).

    ``x' + M Delta + (1 - M) E`` with the photograph's reconstruction x', its error ``E = x - x'``, the edit
    ``Delta = after - x'`` and the mask M, the mean of ``|Delta|`` over the channels, at most 1, blurred with a
    deviation of 0.7 pixels. A photograph larger than the generator's images keeps its own size.

    Args:
        photograph: x, C x H x W in [-1, 1].
        before: x', C x h x w in [-1, 1].
        after: The edited image, C x h x w.

    Returns:
        C x H x W in [-1, 1]; where the mask is 0 the photograph, to the bit.
    """
    edit = (after - before).float()
    mask = _blurred(edit.abs().mean(dim=0, keepdim=True).clamp(max=1))
    size = photograph.shape[1:]
    mask, edit, before = (_resized(each[None], size)[0] for each in (mask, edit, before.float()))
    # The same as above, in a form that leaves x as it is where M is 0.
    return (photograph + mask * (edit - (photograph - before))).clamp(-1, 1)


def change_between(before: Tensor, after: Tensor) -> Change:
    """Estimate how an image, 1 x C x H x W in [-1, 1], turns into another of its size."""
    height, width = before.shape[2:]
    n_levels = max(1, int(math.log2(min(height, width) / _COARSEST)) + 1)
    motion = before.new_zeros(1, 2, 1, 1)
    for level in reversed(range(n_levels)):
        size = (height >> level, width >> level)
        source, target = (F.interpolate(each, size, mode="area") for each in (before, after))
        # u is in pixels of its level.
        scale = motion.new_tensor([size[1] / motion.shape[3], size[0] / motion.shape[2]])[:, None, None]
        motion = F.interpolate(motion, size, mode="bilinear") * scale
        for _ in range(_ROUNDS):
            color = _color_change(moved_by(source, motion), target)
            shown = Change(motion, color).of(source)
            step = flow_of_levels(_grey(target), _grey(shown)).clamp(-1, 1)
            motion = _mean(motion + step, 1)
    return Change(motion, _color_change(moved_by(source, motion), target))


def moved_by(images: Tensor, motion: Tensor) -> Tensor:
    """Images, N x C x H x W, at ``p + u``, between pixels and beyond the border linear and constant.

    At whole numbers of pixels these are the images' own bits.
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device)[:, None] + motion[:, 1]
    columns = torch.arange(width, device=images.device) + motion[:, 0]
    rows, columns = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
    top, left = rows.floor().long(), columns.floor().long()
    bottom, right = (top + 1).clamp(max=height - 1), (left + 1).clamp(max=width - 1)
    down, over = (rows - top)[:, None], (columns - left)[:, None]

    def at(row: Tensor, column: Tensor) -> Tensor:
        places = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return images.flatten(2).gather(2, places).view_as(images)

    above = (1 - over) * at(top, left) + over * at(top, right)
    below = (1 - over) * at(bottom, left) + over * at(bottom, right)
    return (1 - down) * above + down * below


def _color_change(source: Tensor, target: Tensor) -> Tensor:
    """D and b of the least-squares map of colours in the window around each pixel, 1 x C x (C + 1) x H x W."""
    channels = source.shape[1]
    radius = max(2, min(source.shape[2:]) // 8)
    # Of blurred images: its motion between pixels has blurred the source, and the map would sharpen it, more so with
    # each image of a way.
    source, target = (_mean(each, max(1, radius // 2)) for each in (source, target))
    difference = target - source
    products = [source[:, :, None] * other[:, None] for other in (source, difference)]
    means = _mean(torch.cat([source, difference, *(each.flatten(1, 2) for each in products)], dim=1), radius)
    mean_source, mean_difference = means[:, :channels], means[:, channels : 2 * channels]
    squares, crosses = means[:, 2 * channels :].unflatten(1, (2, channels, channels)).unbind(1)
    covariance = squares - mean_source[:, :, None] * mean_source[:, None]
    crosses = crosses - mean_source[:, :, None] * mean_difference[:, None]
    # H x W x C x C: (Cov(x) + e I)^-1 Cov(x, y - x) is D transposed.
    noise = _COLOR_NOISE * torch.eye(channels, device=source.device)
    solved = torch.linalg.solve(covariance[0].permute(2, 3, 0, 1) + noise, crosses[0].permute(2, 3, 0, 1))
    linear = solved.permute(3, 2, 0, 1)[None]
    offset = mean_difference - (linear * mean_source[:, None]).sum(2)
    change = torch.cat([linear, offset[:, :, None]], dim=2)
    return _mean(change.flatten(1, 2), radius).unflatten(1, (channels, channels + 1))


def _enlarged(change: Change, photograph: Tensor) -> Change:
    """A change of generated images as one of a photograph, 1 x C x H x W, that follows its edges."""
    channels, (height, width) = change.color.shape[1], change.motion.shape[2:]
    size = photograph.shape[2:]
    maps = _resized(torch.cat([change.motion, change.color.flatten(1, 2)], dim=1), size)
    radius = 2 * max(1, round(size[0] / height))
    guide = photograph.mean(dim=1, keepdim=True)
    # The guided filter: in each window the maps are a linear function of the photograph.
    means = _mean(torch.cat([guide, guide * guide, maps, guide * maps], dim=1), radius)
    n = maps.shape[1]
    mean_guide, mean_square, mean_maps, mean_products = means.split([1, 1, n, n], dim=1)
    slope = (mean_products - mean_guide * mean_maps) / (mean_square - mean_guide * mean_guide + _GUIDE_NOISE)
    offset = mean_maps - slope * mean_guide
    maps = _mean(slope, radius) * guide + _mean(offset, radius)
    scale = maps.new_tensor([size[1] / width, size[0] / height])[:, None, None]
    return Change(maps[:, :2] * scale, maps[:, 2:].unflatten(1, (channels, channels + 1)))


def _resized(maps: Tensor, size: tuple[int, ...] | torch.Size) -> Tensor:
    return maps if maps.shape[2:] == size else F.interpolate(maps, tuple(size), mode="bilinear")


def _mean(maps: Tensor, radius: int) -> Tensor:
    """Means over a window, at a border over the part of it that is inside."""
    return F.avg_pool2d(maps, 2 * radius + 1, 1, radius, count_include_pad=False)


def _grey(images: Tensor) -> Tensor:
    return (images.mean(dim=1, keepdim=True) + 1) * 127.5


def _blurred(mask: Tensor) -> Tensor:
    """A normal blur of a mask, 1 x H x W; the border's pixels go on beyond it."""
    reach = math.ceil(4 * _BLUR)
    places = torch.arange(-reach, reach + 1, device=mask.device)
    weights = (-(places**2) / (2 * _BLUR**2)).exp()
    weights = weights / weights.sum()
    padded = F.pad(mask[None], (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, weights[None, None, None]), weights[None, None, :, None])[0]
