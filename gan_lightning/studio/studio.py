"""What the page can do, one method for each request; users' sessions are arguments."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch

from gan_lightning import inference
from gan_lightning.inference.edit import (
    Dab,
    KeptLatents,
    contextual_strokes,
    invert,
    paint,
    render_kept,
    transfer_by_mask,
    write_latents,
)
from gan_lightning.inference.edit.progress import Watch
from gan_lightning.studio.choices import Choice, read_choice, whole
from gan_lightning.studio.composing import map_of, read_composition
from gan_lightning.studio.data_uris import data_uri, uri_of
from gan_lightning.studio.generators import STARTS, TRAINED, Generator
from gan_lightning.studio.jobs import Job, Jobs
from gan_lightning.studio.offers import offer_of
from gan_lightning.studio.painted import read_brushes, read_hints
from gan_lightning.studio.pictures import first_components, latents_of, picture, scatter
from gan_lightning.studio.runs import Runs
from gan_lightning.studio.sessions import Base, Session
from gan_lightning.studio.shown_commands import sample_command, translate_command
from gan_lightning.studio.uploads import Photograph, latents_in
from gan_lightning.visualization.images import are_points, to_pil

_MOST_STEPS, _MOST_VARIATIONS = 2000, 24


class Studio:
    """The generators and runs that users see.

    Args:
        generators: Those that are offered.
        runs: Runs that are shown. None: none are.
    """

    def __init__(self, generators: list[Generator], runs: Runs | None = None) -> None:
        self._generators = {generator.source: generator for generator in generators}
        self.runs = runs
        self.jobs = Jobs()

    # Generators.

    def listing(self) -> dict[str, Any]:
        return {"generators": [*self._generators], "runs": self.runs is not None}

    def offer(self, given: Mapping[str, Any]) -> dict[str, Any]:
        return offer_of(self._generator(given))

    def _generator(self, given: Mapping[str, Any]) -> Generator:
        source = given.get("generator")
        if source not in self._generators:
            raise ValueError(f"There is no generator {source!r}.")
        return self._generators[source]

    def _sampler(self, given: Mapping[str, Any]) -> Generator:
        generator = self._generator(given)
        if generator.translates:
            raise ValueError(f"{generator.source} translates images: give it one.")
        return generator

    # Samples.

    def picture(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        model, base = generator.model, session.base(generator.source)
        kept = None if base is None else base.kept
        if are_points(model.image_shape):
            command = sample_command(generator.source, choice, {}, False, points=True)
            return {"picture": data_uri(scatter(model, choice)), "command": command}
        made = picture(generator, choice, kept)
        followed = generator.directions if choice.follows else {}
        told: dict[str, Any] = {
            "picture": data_uri(made[0]),
            "command": sample_command(generator.source, choice, followed, base is not None, points=False),
            "origin": None if base is None else base.origin,
            "undo": len(session.bases.get(generator.source, [])),
        }
        if base is not None and base.photograph is not None and base.found is not None:
            told["photograph"] = data_uri(transfer_by_mask(base.photograph, base.found[0].cpu(), made[0].cpu()))
        if given.get("components"):
            with generator.lock:
                told["components"] = first_components(model, latents_of(generator, choice, kept))
        return told

    def variations(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Small pictures of samples of other seeds, of the same choice."""
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        n = min(whole("n", given.get("n", 8)), _MOST_VARIATIONS)
        if are_points(generator.model.image_shape):
            return {"variations": []}
        made = []
        for seed in range(choice.seed + 1, choice.seed + 1 + n):
            other = Choice(seed, choice.label, choice.text, choice.truncation, choice.domain, choice.codes)
            made.append({"seed": seed, "picture": data_uri(picture(generator, other)[0])})
        return {"variations": made}

    def latents(self, session: Session, given: Mapping[str, Any]) -> bytes:
        """The latents of what is shown, as the file that ``generate --latents`` takes."""
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        base = session.base(generator.source)
        with generator.lock:
            kept = latents_of(generator, choice, None if base is None else base.kept)
        return self._file_of(kept)

    def _file_of(self, kept: KeptLatents) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "latent.npz"
            write_latents(file, kept)
            return file.read_bytes()

    def open_latents(self, session: Session, given: Mapping[str, Any], content: bytes) -> dict[str, Any]:
        generator = self._sampler(given)
        kept = latents_in(content)
        with generator.lock:
            render_kept(generator.model, kept)  # Refused before it is shown.
        session.add(generator.source, Base(kept, "file"))
        return {}

    def undo(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        session.undo(self._sampler(given).source)
        return {}

    def forget(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        session.forget(self._sampler(given).source)
        return {}

    # Compositions.

    def keep(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what is shown as the other image of compositions."""
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        base = session.base(generator.source)
        with generator.lock:
            kept = latents_of(generator, choice, None if base is None else base.kept)
            made = render_kept(generator.model, kept)
        with session.lock:
            session.others[generator.source] = kept
        return {"picture": data_uri(made[0])}

    def other_latents(self, session: Session, given: Mapping[str, Any]) -> bytes:
        """The latents of the other image, as the file that ``compose --latents`` takes."""
        return self._file_of(self._other(session, self._sampler(given)))

    def compose(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is shown and the other image as one."""
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        other, asked = self._other(session, generator), read_composition(given.get("composition"))
        base = session.base(generator.source)
        with generator.lock:
            model = generator.model
            made = asked.made(model, latents_of(generator, choice, None if base is None else base.kept), other)
        told = {"picture": data_uri(made[0]), "command": asked.command(generator.source)}
        if asked.mode == "blend":
            told["map"] = uri_of(to_pil(map_of(asked.weights(*model.image_shape[1:]))))
        return told

    def _other(self, session: Session, generator: Generator) -> KeptLatents:
        if generator.source not in session.others:
            raise ValueError("There is no other image yet: keep one that is shown.")
        return session.others[generator.source]

    # Photographs.

    def give(self, session: Session, given: Mapping[str, Any], content: bytes) -> dict[str, Any]:
        photograph = Photograph(content, str(given.get("name", "picture")))
        with session.lock:
            if given.get("as") == "reference":
                session.reference = photograph
            else:
                session.photograph = photograph
        told = {"name": photograph.name, "width": photograph.width, "height": photograph.height}
        return told | {"picture": uri_of(photograph.preview())}

    def invert(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to find the photograph's latents."""
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        photograph = session.photograph
        if photograph is None:
            raise ValueError("There is no photograph yet: give one.")
        steps = _bounded("steps", given.get("steps", 200), _MOST_STEPS)
        pixels, small = photograph.fitted(generator.model.image_shape)
        labels = None if choice.label is None else inference.check_labels(generator.model, [choice.label])
        if labels is None and getattr(generator.model, "num_classes", None) and choice.text is None:
            raise ValueError("Choose the class of the photograph first.")
        texts = [choice.text or ""] if hasattr(generator.model, "check_texts") else None
        start = given.get("start") or None
        if start not in (None, *STARTS):
            raise ValueError(f"start must be one of {', '.join(STARTS)}.")

        def work(watch: Watch) -> None:
            model, space = generator.copy(), given.get("space")
            first = start
            if start == TRAINED:
                job.title = "Training an encoder"
                encoder = generator.encoder(space, watch)
                with torch.no_grad():
                    first = encoder(model.scaled(small[None].to(model.device)).float())
                job.title = title
            found = invert(
                model, small[None], space=space, labels=labels, texts=texts, start=first, steps=steps, watch=watch
            )
            classes = None if labels is None else torch.tensor(labels)
            kept = KeptLatents(found.space, found.latents, found.noise, classes, None if texts is None else texts[0])
            scaled = model.scaled(pixels.to(model.device)).float().cpu()
            session.add(generator.source, Base(kept, "photograph", scaled, found.images))

        job = Job(title := f"Finding {photograph.name}", work)
        return self._start(session, job)

    def paint(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        """Begin to move the latents of what is shown so that it shows what is painted."""
        generator, choice = self._sampler(given), read_choice(given.get("choice", {}))
        brushes = read_brushes(given.get("brushes"))
        steps = _bounded("steps", given.get("steps", 50), _MOST_STEPS)
        contextual = given.get("brush") == "contextual"
        base = session.base(generator.source)
        with generator.lock:
            start = latents_of(generator, choice, None if base is None else base.kept)

        def work(watch: Watch) -> None:
            model = generator.copy()
            if contextual:
                painting = contextual_strokes(model, start, cast(list[Dab], brushes), strokes=steps, watch=watch)
            else:
                painting = paint(model, start, brushes, steps=steps, watch=watch)
            photograph, found = (base.photograph, base.found) if base else (None, None)
            session.add(generator.source, Base(painting.kept, "brush", photograph, found))

        return self._start(session, Job("Painting", work))

    def job(self, session: Session) -> dict[str, Any]:
        return session.job.told() if session.job is not None else {"state": "none"}

    def cancel(self, session: Session) -> dict[str, Any]:
        if session.job is not None:
            session.job.cancel()
        return {}

    def _start(self, session: Session, job: Job) -> dict[str, Any]:
        with session.lock:
            if session.job is not None and not session.job.is_over:
                raise ValueError(f"{session.job.title} is not done yet: wait for it, or cancel it.")
            session.job = job
        self.jobs.start(job)
        return job.told()

    # Translations.

    def translate(self, session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
        generator = self._generator(given)
        if not generator.translates:
            raise ValueError(f"{generator.source} makes samples, and translates no images.")
        photograph, reference = session.photograph, session.reference if given.get("reference") else None
        if photograph is None:
            raise ValueError("There is no image yet: give one.")
        attributes = {str(name): bool(on) for name, on in dict(given.get("attributes") or {}).items()}
        hints, seed = read_hints(given.get("hints") or []), whole("seed", given.get("seed", 0))
        direction = given.get("direction") or None
        with generator.lock:
            palette = None if reference is None else inference.read_reference(generator.model, reference.opened())
            made = inference.translate(
                generator.model, photograph.opened(), direction, attributes, seed, 8, hints, palette
            )
        palette_file = None if reference is None else reference.name
        command = translate_command(generator.source, photograph.name, direction, attributes, seed, hints, palette_file)
        return {"picture": data_uri(made), "command": command}


def _bounded(name: str, value: Any, most: int) -> int:
    if not 1 <= whole(name, value) <= most:
        raise ValueError(f"{name} must be a whole number from 1 to {most}.")
    return value
