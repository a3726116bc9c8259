"""Binary attributes of images (StarGAN), some of which exclude each other, and edits of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from gan_lightning.games.translation import AttributeEdits


@dataclass(frozen=True)
class Attributes:
    """Names of binary attributes and the groups that exclude each other, such as hair colours.

    Labels are N x A zeros and ones; the methods return new tensors.

    Attributes:
        names: Names of the A attributes, in the order of the labels.
        exclusive: Groups of names of which an image has at most one; other names in them are ignored.
    """

    names: Sequence[str]
    exclusive: Sequence[Sequence[str]] = ()

    def check(self, edits: AttributeEdits) -> None:
        """Refuse edits that exclude each other.

        Raises:
            ValueError: Two attributes of one group are to be set.
        """
        for group in self.exclusive:
            asked = [name for name, value in edits.items() if value and name in group]
            if len(asked) > 1:
                raise ValueError(f"{' and '.join(asked)} exclude each other: ask for one of them.")

    def edited(self, labels: Tensor, edits: AttributeEdits) -> Tensor:
        """Set the given attributes of all labels, and clear those that they exclude."""
        labels = labels.clone()  # N x A
        for name, value in edits.items():
            if value:
                labels[:, self._columns(self._excluded_by(name))] = 0
            labels[:, self._columns([name])] = float(value)
        return labels

    def flipped(self, labels: Tensor, name: str) -> Tensor:
        """Flip one attribute of all labels; set it, if it excludes others."""
        # One hair colour at a time: to clear the one that an image has would leave it without any.
        if self._excluded_by(name):
            return self.edited(labels, {name: True})
        labels, column = labels.clone(), self._columns([name])
        labels[:, column] = 1 - labels[:, column]
        return labels

    @property
    def single(self) -> dict[str, AttributeEdits]:
        """Every edit of one attribute by its name: NAME sets it, NAME=0 clears it where no other excludes it."""
        edits: dict[str, AttributeEdits] = {}
        for name in self.names:
            edits[name] = {name: True}
            if not self._excluded_by(name):
                edits[f"{name}=0"] = {name: False}
        return edits

    def _excluded_by(self, name: str) -> list[str]:
        return [other for group in self.exclusive if name in group for other in group if other != name]

    def _columns(self, names: Sequence[str]) -> list[int]:
        return [column for column, name in enumerate(self.names) if name in names]
