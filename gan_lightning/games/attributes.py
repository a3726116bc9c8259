"""Attributes that an image has or has not: which of them exclude each other, and what it takes to change one."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gan_lightning.games.translation import AttributeEdits


@dataclass(frozen=True)
class Attributes:
    """Labels by name. The methods take labels as N x A zeros and ones and return new ones.

    Attributes:
        names: Of the A attributes, in the order of the labels.
        exclusive: Groups of which an image has one at most; names that are not among ``names`` do not matter.
    """

    names: Sequence[str]
    exclusive: Sequence[Sequence[str]] = ()

    def check(self, wishes: AttributeEdits) -> None:
        """Refuse wishes that exclude each other.

        Raises:
            ValueError: Two of one group are asked for.
        """
        for group in self.exclusive:
            asked = [name for name, wish in wishes.items() if wish and name in group]
            if len(asked) > 1:
                raise ValueError(f"{' and '.join(asked)} exclude each other: ask for one of them.")

    def edited(self, labels: Tensor, wishes: AttributeEdits) -> Tensor:
        """With what is wished for, and without what that excludes."""
        labels = labels.clone()
        for name, wish in wishes.items():
            if wish:
                labels[:, self._places(self._excluded_by(name))] = 0
            labels[:, self._places([name])] = float(wish)
        return labels

    def flipped(self, labels: Tensor, name: str) -> Tensor:
        """With the other value of one attribute; with the attribute, if it excludes others."""
        if self._excluded_by(name):
            return self.edited(labels, {name: True})
        labels, place = labels.clone(), self._places([name])
        labels[:, place] = 1 - labels[:, place]
        return labels

    def _excluded_by(self, name: str) -> list[str]:
        return [other for group in self.exclusive if name in group for other in group if other != name]

    def _places(self, names: Sequence[str]) -> list[int]:
        return [place for place, name in enumerate(self.names) if name in names]
