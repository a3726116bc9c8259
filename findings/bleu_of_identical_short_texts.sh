#!/usr/bin/env bash
# NLTK 3.10.4, sacrebleu 2.6.0: a text of fewer than four words against its own copy has BLEU-4 from 0 to 1, by the library.
#
# A text of two words has no 3-grams, and each library has its own way with n-grams that there are none of. The text GANs'
# protocol (NLTK, smoothing method 1, weights of a quarter) counts each missing order as one tenth: one word against itself
# has 0.178, two words 0.316, three 0.562, four 1.0. sacrebleu says 100 for the sentence and 0 for a corpus of such
# sentences. So the self-BLEU of a generator of names, captions or titles that has collapsed onto one two-word text is
# 0.316, which reads as diverse, and longer samples raise BLEU without being better. NLTK's methods 5 and 7 are above 1 for
# five equal words.
# For us: BLEU and self-BLEU follow the papers' protocol, and are given for each n from 1 on: of names of two words the first
# two are the ones to read, which are 1 for copies (gan_lightning/metrics/text.py).
#
# Needs: Python 3.11 or newer with pip and venv. Exits with 0 while the behaviour is as described.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet nltk==3.10.4 sacrebleu==2.6.0
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PYTHON'
import logging

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sacrebleu import corpus_bleu
from sacrebleu import sentence_bleu as sacre_sentence

logging.disable(logging.WARNING)
smoothing = SmoothingFunction()
WORDS = "a big red heart emoji".split()
seen = {}
for n in range(1, 6):
    words, text = WORDS[-n:], " ".join(WORDS[-n:])
    nltk = round(sentence_bleu([words], words, smoothing_function=smoothing.method1), 3)
    sentence = round(sacre_sentence(text, [text], use_effective_order=True).score)
    corpus = round(corpus_bleu([text] * 10, [[text] * 10]).score)
    print(f"{n} words, a copy: NLTK's method 1 {nltk}, sacrebleu {sentence} for the sentence, {corpus} for ten of them")
    seen[n] = nltk, sentence, corpus
assert seen == {1: (0.178, 100, 0), 2: (0.316, 100, 0), 3: (0.562, 100, 0), 4: (1.0, 100, 100), 5: (1.0, 100, 100)}, seen

above = [round(sentence_bleu([WORDS], WORDS, smoothing_function=way), 3) for way in (smoothing.method5, smoothing.method7)]
print("five words, a copy: NLTK's methods 5 and 7", above)
assert all(score > 1 for score in above), above
PYTHON
