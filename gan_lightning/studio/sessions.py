"""What belongs to one user: photographs, latents and work, known by a cookie that no other browser has."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from torch import Tensor

from gan_lightning.inference.edit import KeptLatents
from gan_lightning.studio.jobs import Job
from gan_lightning.studio.uploads import Photograph

_MOST = 64
_MOST_UNDO = 30


@dataclass(frozen=True)
class Base:
    """Latents that are moved in the place of a sample's.

    Attributes:
        kept: The latents.
        origin: Where they come from: photograph, file, brush.
        photograph: What they were found of, C x H x W in [-1, 1] at its own size. None: of none.
        found: What the generator makes of the latents as they were found, 1 x C x h x w in [-1, 1].
    """

    kept: KeptLatents
    origin: str
    photograph: Tensor | None = None
    found: Tensor | None = None


@dataclass
class Session:
    """Of one user.

    Attributes:
        photograph: What was given to be found or translated.
        reference: What was given as a palette.
        bases: Of each generator, by its source; the last one is shown, those before it are for undo.
        others: Of each generator, by its source: latents that are composed with what is shown.
        job: The last long work.
        lock: Held while one of these changes.
    """

    photograph: Photograph | None = None
    reference: Photograph | None = None
    bases: dict[str, list[Base]] = field(default_factory=dict)
    others: dict[str, KeptLatents] = field(default_factory=dict)
    job: Job | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def base(self, source: str) -> Base | None:
        return next(reversed(self.bases.get(source, [])), None)

    def add(self, source: str, base: Base) -> None:
        """Show latents from now on; what was shown can be undone to."""
        with self.lock:
            self.bases[source] = [*self.bases.get(source, []), base][-_MOST_UNDO:]

    def undo(self, source: str) -> None:
        with self.lock:
            self.bases[source] = self.bases.get(source, [])[:-1]

    def forget(self, source: str) -> None:
        """Show samples again."""
        with self.lock:
            self.bases.pop(source, None)


class Sessions:
    """Those of all users; the one that was idle longest makes room for a new one."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, token: str | None) -> tuple[str, Session]:
        """The session of a cookie, and the cookie; a new one where there is none of it."""
        with self._lock:
            if token is None or token not in self._known:
                token = secrets.token_urlsafe(32)
                self._known[token] = Session()
            self._known.move_to_end(token)
            while len(self._known) > _MOST:
                _, idle = self._known.popitem(last=False)
                if idle.job is not None:
                    idle.job.cancel()
            return token, self._known[token]
