"""Extractors by name, and what is said when one cannot be had."""

import urllib.error
from pathlib import Path

import pytest
import torch
import torch_fidelity.feature_extractor_inceptionv3 as inception
from torch import nn

from datamodules.components.loading import TensorImages
from gan_lightning.metrics import classifier as classifier_module
from gan_lightning.metrics.cache import TensorCache
from gan_lightning.metrics.classifier import trained_classifier
from gan_lightning.metrics.evaluator import Evaluator
from gan_lightning.metrics.extractors import EXTRACTORS, Ingredients, make_extractor
from gan_lightning.metrics.features import FeatureExtractor, Pixels
from gan_lightning.metrics.inception import ADDRESS, LAYERS
from tests.helpers.games import assert_same_bits
from tests.metrics.tools import TINY, images, source


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two files of untrained Inception weights, one of them without the classifier."""
    original = nn.Module.load_state_dict
    folder = tmp_path_factory.mktemp("weights")
    torch.save({}, folder / "empty.pth")
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.setattr(nn.Module, "load_state_dict", lambda *_: None)
        network = inception.FeatureExtractorInceptionV3("any", ["2048"], str(folder / "empty.pth"))
    assert nn.Module.load_state_dict is original
    torch.save(network.state_dict(), folder / "whole.pth")
    network.fc.weight.zero_()
    torch.save(network.state_dict(), folder / "headless.pth")
    return {name: folder / f"{name}.pth" for name in ("whole", "headless", "empty")}


def test_inception_is_torch_fidelitys(weights):
    extractor = make_extractor("inception", Ingredients(weights["whole"]))
    shown = images(2, 1)
    layers = ["2048", "logits_unbiased"]
    theirs = inception.FeatureExtractorInceptionV3("any", layers, str(weights["whole"]))(shown)
    found = extractor(shown)
    for ours, their in ((found.features, theirs[0]), (found.logits, theirs[1])):
        # 94 layers with a rounding of float32 each, in either of them
        torch.testing.assert_close(ours, their, rtol=0, atol=2 * 94 * 2**-23 * float(their.abs().max()))
    assert extractor.class_score == "inception_score"
    grey = images(2, 1, channels=1)
    assert torch.equal(extractor(grey).features, extractor(grey.repeat(1, 3, 1, 1)).features)


def test_inception_without_torch_fidelity_has_its_layers_and_weights(weights):
    theirs = inception.FeatureExtractorInceptionV3("any", ["2048"], str(weights["whole"]))
    ours = make_extractor("inception", Ingredients(weights["whole"])).network
    assert_same_bits(ours.state_dict(), theirs.state_dict())
    found = dict(ours.named_modules())
    for name, module in theirs.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
            assert repr(found[name]) == repr(module), name
    assert inception.URL_INCEPTION_V3 == ADDRESS
    for layer, metrics in zip(LAYERS, [("fid", "kid", "prc"), ("isc",)], strict=True):
        assert {theirs.get_default_feature_layer_for_metric(metric) for metric in metrics} == {layer}


def test_no_inception_score_without_inceptions_classes(weights):
    extractor = make_extractor("inception", Ingredients(weights["headless"]))
    with pytest.raises(ValueError, match="inception-v3-compat gives none"):
        Evaluator(["inception_score"], extractor)


def test_the_score_of_other_classes_carries_its_extractors_name():
    evaluator = Evaluator(["inception_score"], make_extractor(TINY, Ingredients()))
    assert list(evaluator.score(source(20, 1), {})) == [f"{TINY}_score"]


def test_weights_that_are_missing_or_wrong(weights, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"weights_path names nowhere\.pth"):
        make_extractor("inception", Ingredients("nowhere.pth"))
    with pytest.raises(ValueError, match="does not hold the weights of inception"):
        make_extractor("inception", Ingredients(weights["empty"]))

    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    for name, file in [("inception", r"6726825d\.pth"), ("vgg16", r"vgg16-397923af\.pth"), ("clip-rn50", r"RN50\.pt")]:
        with pytest.raises(FileNotFoundError, match=rf"{file} could not be .* get that file, and .* weights_path"):
            make_extractor(name, Ingredients())
    # There is no file of it that could be given.
    monkeypatch.setattr(torch.hub, "load", no_network)
    with pytest.raises(FileNotFoundError, match="no file can take its place: choose another extractor"):
        make_extractor("dinov2-vit-s-14", Ingredients())


def test_making_one_leaves_the_random_numbers_alone(weights):
    before = torch.get_rng_state()
    make_extractor("inception", Ingredients(weights["whole"]))
    assert torch.equal(torch.get_rng_state(), before)


class Own(Pixels):
    """A user's extractor."""


def test_extractors_by_name_path_class_and_object():
    assert set(EXTRACTORS) == {"inception", "dinov2", "classifier", "pixels"}
    own = Own()
    assert make_extractor(own, Ingredients()) is own
    path = f"{__name__}.Own"
    for way in ("pixels", Own, path):
        assert isinstance(make_extractor(way, Ingredients()), Pixels)
    for wrong in ("pixel", "os.path.join", "gan_lightning.Nothing", "", 5, ["pixels"], Path):
        with pytest.raises(ValueError, match=r"no extractor .* choose from inception, dinov2, classifier, pixels"):
            make_extractor(wrong, Ingredients())
    for way in ("pixels", "classifier", own, Own, path):
        with pytest.raises(ValueError, match="takes no weights_path"):
            make_extractor(way, Ingredients("file"))


@pytest.fixture
def labelled() -> TensorImages:
    """Dark and bright images."""
    labels = torch.arange(200) % 2
    return TensorImages((images(200, 1, channels=1).float() / 2 + 120 * labels.view(-1, 1, 1, 1)).byte(), labels)


def test_the_classifier_learns_the_labels_once(labelled, tmp_path, monkeypatch):
    before = torch.get_rng_state()
    with torch.inference_mode():  # as in a validation
        first = trained_classifier(labelled, TensorCache(tmp_path), steps=20)
    again = trained_classifier(labelled, TensorCache(tmp_path / "other"), steps=20)
    assert_same_bits(first.state_dict(), again.state_dict())
    assert torch.equal(torch.get_rng_state(), before)

    monkeypatch.setattr(classifier_module, "_train", None)
    cached = trained_classifier(labelled, TensorCache(tmp_path), steps=20)
    assert_same_bits(first.state_dict(), cached.state_dict())

    found = cached(labelled.images)
    assert labelled.labels is not None
    assert (found.logits.argmax(dim=1) == labelled.labels).float().mean() > 0.95
    assert found.features.shape == (200, 128)
    scores = Evaluator(["inception_score"], cached).score(labelled, {})
    assert 1.5 < scores["classifier_score"] <= 2  # two classes, told apart


def test_the_classifier_needs_labels(tmp_path):
    with pytest.raises(ValueError, match="learns from labels"):
        make_extractor("classifier", Ingredients(None, lambda: source(10, 1), TensorCache(tmp_path)))
    with pytest.raises(ValueError, match="learns from labels"):
        make_extractor("classifier", Ingredients())


def test_every_extractor_has_a_fingerprint_of_its_weights(labelled, tmp_path):
    made: list[FeatureExtractor] = [
        Pixels(),
        make_extractor(TINY, Ingredients()),
        *(trained_classifier(labelled, TensorCache(tmp_path), steps) for steps in (1, 2)),
    ]
    assert len({extractor.fingerprint() for extractor in made}) == 4
    assert Pixels().fingerprint() == Pixels().fingerprint()
