"""Weights that other programs published: networks to sample, to translate and to train on with.

A published file is a state dict without a description of its network, alone or in a dictionary. Four parts read it:

- ``reading.py`` finds the state dicts in the file, wherever they lie, and runs no code of it (``unpickling.py``).
- A *source*, one module a program, such as ``dcgan_example.py``, recognises its networks by the names and shapes of
  their weights, and gives the weights our names.
- ``networks.py`` has what a source answers, and the games that make images with it.
- ``loading.py`` asks the sources, one after the other.

**To add a source** takes a module and a line.

1. Find the network of :mod:`gan_lightning.networks` that computes the same function, or the options under which it
   does. What depends on no weight must agree as well: activations and their slopes, epsilons of norms, padding,
   upsampling. A last sigmoid of a discriminator is in our losses.
2. Write ``their_program.py`` here, with ``ABOUT``, a few words for messages, and ``recognise``::

       ABOUT = "Their GAN (generators of 32 x 32)"

       def recognise(weights: Weights) -> Published | None:
           if "their_first_layer.weight" not in weights:
               return None
           first = weights["their_first_layer.weight"]  # outputs x latent_dim
           recipe = partial(TheirGenerator, width=first.shape[0] // 16)
           renamed = {rename(name): weight for name, weight in weights.items()}
           return PublishedGenerator(recipe, renamed, (3, 32, 32), first.shape[1])

   It answers a :class:`PublishedGenerator`, a :class:`PublishedTranslator` or a :class:`PublishedDiscriminator`: the
   recipe of our network, of plain arguments, all of its weights under our names, and the shapes. Widths, depths and
   classes are read off the weights. It returns None for names that are not its own, and raises a ValueError, whose text
   completes "FILE cannot be used: ...", for an option of that program that we do not have. A weight that is missing
   may raise KeyError, and one that does not fit is found when it is loaded; neither needs a check. Wrappers
   (``module.``) and the place in the file are no concern of it.
3. Add the module to ``SOURCES`` in ``loading.py``.
4. In ``tests/inference/``, write the forward pass with *their* names in plain functional torch, for weights drawn at
   random, and compare; see ``test_published_dcgan_example.py``.

``gan-lightning generate --ckpt FILE``, ``evaluate``, ``translate``, ``fit --init_from FILE``, :func:`load_reference`
and :func:`reference_network` then take it.
"""

from gan_lightning.inference.published.loading import (
    load_any,
    load_reference,
    recognised,
    reference_network,
    reference_players,
)
from gan_lightning.inference.published.networks import (
    Published,
    PublishedDiscriminator,
    PublishedGenerator,
    PublishedImageEncoder,
    PublishedStyleGenerator,
    PublishedTextDiscriminator,
    PublishedTextEncoder,
    PublishedTextGenerator,
    PublishedTranslator,
    ReferenceGenerator,
    ReferenceLabelGenerator,
    ReferenceTranslator,
)

__all__ = [
    "Published",
    "PublishedDiscriminator",
    "PublishedGenerator",
    "PublishedImageEncoder",
    "PublishedStyleGenerator",
    "PublishedTextDiscriminator",
    "PublishedTextEncoder",
    "PublishedTextGenerator",
    "PublishedTranslator",
    "ReferenceGenerator",
    "ReferenceLabelGenerator",
    "ReferenceTranslator",
    "load_any",
    "load_reference",
    "recognised",
    "reference_network",
    "reference_players",
]
