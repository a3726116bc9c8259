"""No step of any variant waits for the device: nothing in it is read off, decided on or counted by the host.

Watched is the whole of ``training_step``: the variant's losses, penalties and draws, and the engine with its backward
passes, average and logging. Left out are callbacks, which the trainer calls around it, and what is written to loggers
where a step is logged. The optimisers are SGD, because Adam counts its updates in tensors that lie on the host anyway.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lightning.callbacks import TrainingHealth
from gan_lightning.games import label, sequence, text
from gan_lightning.games.base import AdversarialModule
from gan_lightning.regularizers import BCR, ZCR, LeCam, TopK
from gan_lightning.variants import DCGAN, WGANGP, semi_supervised_gan, star_gan
from tests.helpers.games import VARIANTS, play, small

READING = ("item", "tolist", "numpy", "cpu", "__bool__", "__int__", "__float__", "__index__", "__array__")
"""What reads a tensor off its device: on the CPU some of these leave no other trace."""

WAITING = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_dim"}
"""Operations that return a number to the host, or whose result has a size that only the values tell."""


class Waits(TorchDispatchMode):
    """Notes what would have waited for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function.__name__.split(".")[0]
        masked = name in ("index", "index_put_") and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if name in WAITING or masked:
            self.found.append(name)
        return function(*args, **(kwargs or {}))

    @contextmanager
    def watching(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch, self:
            for name in READING:
                patch.setattr(Tensor, name, self._noted(name, getattr(Tensor, name)))
            # On the CPU, and there alone, these look whether the labels are classes.
            patch.setattr(F, "one_hot", self._unnoted(F.one_hot))
            for module in (label, semi_supervised_gan, star_gan):
                patch.setattr(module, "check_labels", self._unnoted(module.check_labels))
            for module in (text, sequence):
                patch.setattr(module, "check_tokens", self._unnoted(module.check_tokens))
            patch.setattr(star_gan, "check_attributes", self._unnoted(star_gan.check_attributes))
            to = Tensor.to
            patch.setattr(Tensor, "to", lambda tensor, *to_what, **kind: self._moved(to, tensor, *to_what, **kind))
            yield

    def _noted(self, name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def noted(tensor: Tensor, *arguments: Any, **named: Any) -> Any:
            self.found.append(name)
            return read(tensor, *arguments, **named)

        return noted

    def _unnoted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def unnoted(*arguments: Any, **named: Any) -> Any:
            before = len(self.found)
            result = function(*arguments, **named)
            del self.found[before:]
            return result

        return unnoted

    def _moved(self, to: Callable[..., Tensor], tensor: Tensor, *to_what: Any, **kind: Any) -> Tensor:
        if "cpu" in (*to_what, *kind.values()):
            self.found.append("to cpu")
        return to(tensor, *to_what, **kind)


def watch(model: AdversarialModule, watching: Callable[[], AbstractContextManager[None]]) -> AdversarialModule:
    step = model.training_step

    def watched(*arguments: Any) -> dict[str, Tensor]:
        with watching():
            return step(*arguments)

    model.training_step = watched  # type: ignore[method-assign]
    return model


def without_counters(variant: type[AdversarialModule], **arguments: Any) -> AdversarialModule:
    descent = partial(torch.optim.SGD, lr=1e-3)
    return small(variant, generator_optimizer=descent, discriminator_optimizer=descent, **arguments)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_no_step_waits(variant: type[AdversarialModule], tmp_path: Path) -> None:
    waits = Waits()
    play(watch(without_counters(variant, n_critic=2), waits.watching), 2, tmp_path, batch_size=20)
    assert waits.found == []


def test_no_regulariser_waits(tmp_path: Path) -> None:
    waits, regularizers = Waits(), [LeCam(start_step=1), BCR(), ZCR(), TopK(gamma=0.5, decay_images=20)]
    model = without_counters(WGANGP, regularizers=regularizers)
    play(watch(model, waits.watching), 2, tmp_path, batch_size=20, callbacks=[TrainingHealth()])
    assert waits.found == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch tells what waits on a GPU only")
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_no_step_waits_for_a_gpu(variant: type[AdversarialModule], tmp_path: Path) -> None:
    play(watch(without_counters(variant), waiting_is_an_error), 3, tmp_path, batch_size=20, accelerator="gpu")


@contextmanager
def waiting_is_an_error() -> Iterator[None]:
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "wait",
    [
        lambda loss: loss.item(),
        lambda loss: loss.detach().cpu(),
        lambda loss: loss.detach().to("cpu"),
        lambda loss: loss.detach().tolist(),
        lambda loss: loss.detach().numpy(),
        lambda loss: float(loss.detach()),
        lambda loss: int(loss.detach()),
        lambda loss: "high" if loss > 1 else "low",
        lambda loss: f"{loss:.3f}",
        lambda loss: max(loss, 2 * loss),
        lambda loss: torch.equal(loss, loss),
        lambda loss: loss[None][loss[None] > 0],
        lambda loss: loss[None].nonzero(),
    ],
)
def test_the_watch_sees(wait: Callable[[Tensor], Any]) -> None:
    """Else nothing above could fail."""
    loss, waits = torch.tensor(2.0, requires_grad=True) * 1, Waits()
    with waits.watching():
        wait(loss)
    assert waits.found
    assert loss.item() == 2
    assert len(waits.found) <= 2, "the watch is over"


def test_a_wait_in_a_loss_is_seen(tmp_path: Path) -> None:
    class Waiting(DCGAN):
        def generator_loss(self, batch: Any) -> dict[str, Tensor]:
            terms = super().generator_loss(batch)
            return {"adversarial": terms["adversarial"] * (terms["adversarial"].item() > 0)}

    waits = Waits()
    play(watch(without_counters(Waiting), waits.watching), 2, tmp_path, batch_size=20)
    assert waits.found == 2 * ["item", "_local_scalar_dense"]
