"""The kinds of games, each with the papers that are of its kind.

base.py         the alternating step: any game of a generator and a discriminator
image.py        an image from a latent vector: GAN, DCGAN, WGAN, SNGAN, BEGAN and most others
encoder.py      the same, with an encoder that finds the latent of an image: ALI, IAN
label.py        the same, of a class: CGAN, ACGAN, projection, SAGAN, BigGAN
code.py         the same, of codes that come to mean something: InfoGAN
text.py         the same, of a text: GAN-CLS, StackGAN
tree.py         the same, in an image of each size: StackGAN++, AttnGAN
embedding.py    two encoders, of texts and of images, that come to agree
translation.py  an image from an image: pix2pix, CycleGAN, StarGAN, SRGAN
sequence.py     tokens one after the other, such as texts: SeqGAN, GumbelGAN
sound.py        a sound, from a latent vector or from the sound itself: WaveGAN, SpecGAN, HiFiGAN
video.py        a frame from the frames before it: VideoPrediction
music.py        bars of music from latents and the bar before: MidiNet
attributes.py   what StarGAN's attributes exclude
"""

from gan_lightning.games.base import AdversarialModule
from gan_lightning.games.batch import GameBatch
from gan_lightning.games.code import CodeGame
from gan_lightning.games.embedding import EmbeddingGame
from gan_lightning.games.encoder import EncoderGame
from gan_lightning.games.image import ImageGame
from gan_lightning.games.label import LabelGame
from gan_lightning.games.music import MusicGame
from gan_lightning.games.sequence import SequenceGame
from gan_lightning.games.sound import LatentSoundGame, SoundGame
from gan_lightning.games.text import TextGame
from gan_lightning.games.translation import TranslationGame
from gan_lightning.games.tree import TreeGame
from gan_lightning.games.video import VideoGame

__all__ = [
    "AdversarialModule",
    "CodeGame",
    "EmbeddingGame",
    "EncoderGame",
    "GameBatch",
    "ImageGame",
    "LabelGame",
    "LatentSoundGame",
    "MusicGame",
    "SequenceGame",
    "SoundGame",
    "TextGame",
    "TranslationGame",
    "TreeGame",
    "VideoGame",
]
