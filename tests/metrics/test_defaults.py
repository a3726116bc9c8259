"""Each metric of the features that torch-fidelity takes for it by default, and the files of weights that it reads."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch_fidelity
from torch import Tensor, nn
from torch_fidelity.feature_extractor_clip import CLIPVisual
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.feature_extractor_vgg16 import FeatureExtractorVGG16
from torch_fidelity.utils import DEFAULT_FEATURE_EXTRACTOR

from benchmarks.turns_with_torch_fidelity import THEIR_NAMES
from gan_lightning.cli import main
from gan_lightning.metrics import features, inception
from gan_lightning.metrics.extractors import Ingredients, extractors_of, make_extractor
from gan_lightning.metrics.image_sources import FolderImages
from gan_lightning.metrics.joint import JointEvaluator
from gan_lightning.metrics.registry import METRICS, Options
from gan_lightning.networks.vgg import VGG19Features
from tests.metrics.stand_ins import fill_torchs_cache
from tests.metrics.tools import Counting, images, write_folder


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks of random weights that nobody draws first."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Path]]:
    """torch's folder, with random weights in the place of both networks'."""
    folder = tmp_path_factory.mktemp("home")
    return folder, fill_torchs_cache(folder)


def test_each_metric_takes_torch_fidelitys_own_extractor():
    theirs = {"fid": "fid", "kid": "kid", "inception_score": "isc", "precision": "prc", "recall": "prc"}
    assert {name: METRICS[name].extractor for name in theirs} == {
        name: DEFAULT_FEATURE_EXTRACTOR[their] for name, their in theirs.items()
    }


def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks at a hundredth of their cost, in torch-fidelity's hands and in ours."""
    monkeypatch.setattr(FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", 79)
    monkeypatch.setattr(FeatureExtractorVGG16, "INPUT_IMAGE_SIZE", 40)
    # Not 2048, whose covariances take many times as long as the network.
    layers = {"fid": "64", "kid": "64", "prc": "64", "isc": "logits_unbiased"}
    monkeypatch.setattr(
        FeatureExtractorInceptionV3, "get_default_feature_layer_for_metric", staticmethod(layers.__getitem__)
    )
    for module in (features, inception):
        monkeypatch.setattr(module, "LAYERS", (layers["fid"], layers["isc"]))


@pytest.mark.parametrize("size", ["small", pytest.param("whole", marks=pytest.mark.slow)])
def test_all_metrics_agree_with_torch_fidelitys_defaults(size, tmp_path, home, monkeypatch):
    """With nothing but their defaults: both find the weights in torch's cache."""
    folder, _ = home
    if size == "small":
        smaller(monkeypatch)
    monkeypatch.setenv("TORCH_HOME", str(folder))
    samples, real = (write_folder(tmp_path / str(seed), images(16, seed)) for seed in (1, 2))
    expected = torch_fidelity.calculate_metrics(
        input1=str(samples), input2=str(real), fid=True, kid=True, isc=True, prc=True, kid_subset_size=12,
        cuda=False, cache=False, verbose=False, save_cpu_ram=True,
    )  # fmt: skip
    evaluator = JointEvaluator(extractors_of(THEIR_NAMES, None, Ingredients()), options=Options(kid_subset_size=12))
    shown = Counting(images(16, 2))
    found = evaluator.score(FolderImages(samples), evaluator.describe(shown))
    assert shown.seen == 2 * 16  # one pass of either network
    # Their kernels, all around 1, are added up in float32.
    close = {name: pytest.approx(expected[theirs], rel=1e-3, abs=1e-6) for name, theirs in THEIR_NAMES.items()}
    assert found == close
    assert 0.05 < found["precision"] < 0.98  # else the agreement would say little


def test_of_other_features_a_metric_carries_their_name(home):
    _, files = home
    extractors = extractors_of(["fid", "precision"], "inception", Ingredients(files["inception"]))
    assert JointEvaluator(extractors).names == ["fid", "precision_inception"]
    assert extractors["fid"] is extractors["precision"]
    extractors = extractors_of(["fid", "precision"], "vgg16", Ingredients({"vgg16": files["vgg16"]}))
    assert JointEvaluator(extractors).names == ["fid_vgg16", "precision"]


def test_one_file_is_not_taken_for_two_extractors(home):
    _, files = home
    with pytest.raises(ValueError, match="take two extractors, inception and vgg16: name the file of each"):
        extractors_of(["fid", "recall"], None, Ingredients(files["inception"]))
    with pytest.raises(ValueError, match="names an extractor 'vgg', and there is none"):
        extractors_of(["recall"], None, Ingredients({"vgg": files["vgg16"]}))


class Marker:
    """A pickle of it writes a file when it is read without limits."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("where", ["path", "cache"])
@pytest.mark.parametrize("name", ["inception", "vgg16", "vgg19", "clip-rn50"])
def test_weights_that_would_run_code_do_not(name, where, tmp_path, home, monkeypatch):
    marker = tmp_path / "marker"
    content = {"weight": torch.zeros(1), "more": Marker(marker)}
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = {
        **{kind: file.name for kind, file in home[1].items()},
        "vgg19": "vgg19-dcbb9e9d.pth",
        "clip-rn50": "clip-rn50-afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762.pt",
    }
    file = tmp_path / "hub" / "checkpoints" / cached[name] if where == "cache" else tmp_path / "weights.pth"
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, file)
    given = file if where == "path" else None
    with pytest.raises(ValueError, match=rf"{file.name}.* (is no file of weights|does not hold the weights)"):
        VGG19Features(weights=given) if name == "vgg19" else make_extractor(name, Ingredients(given))
    assert not marker.exists()
    with open(file, "rb") as opened:
        torch.load(opened, weights_only=False)
    assert marker.exists()  # else this test would say nothing


def test_a_bare_pickle_does_not_run_either(tmp_path):
    (tmp_path / "weights.pth").write_bytes(pickle.dumps(Marker(tmp_path / "marker")))
    for name in ("inception", "vgg16", "clip-rn50"):
        with pytest.raises(ValueError, match=r"weights\.pth"):
            make_extractor(name, Ingredients(tmp_path / "weights.pth"))
    assert not (tmp_path / "marker").exists()


class Part(nn.Module):
    """Weights by their names, and nothing that could be called."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        parts: dict[str, dict[str, Tensor]] = {}
        for name, weight in weights.items():
            first, _, rest = name.partition(".")
            if rest:
                parts.setdefault(first, {})[rest] = weight
            else:
                self.register_buffer(name, weight)
        for name, inner in parts.items():
            self.add_module(name, Part(inner))


def test_a_file_of_clips_weights_is_read(tmp_path):
    """TorchScript, as its authors publish it."""
    with torch.random.fork_rng():
        network = CLIPVisual(8, 8, 1, 64, 4)
    weights = {**network.state_dict(), "text_projection": torch.zeros(3, 8)}
    torch.jit.save(torch.jit.script(Part(weights)), tmp_path / "clip.pt")
    extractor = make_extractor("clip-vit-b-32", Ingredients(tmp_path / "clip.pt"))
    found = extractor(images(2, 1))
    assert found.features.shape == (2, 8)
    assert found.logits is None
    assert extractor.class_score is None


def test_dinov2_takes_no_file_and_says_so(tmp_path, capsys):
    (tmp_path / "weights.pth").touch()
    folder = str(write_folder(tmp_path / "images", images(4, 1)))
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "--samples", folder, "--reference", folder, "--extractor", "dinov2-vit-s-14",
              "--weights_path", str(tmp_path / "weights.pth")])  # fmt: skip
    said = capsys.readouterr().err
    assert "dinov2-vit-s-14 takes no weights_path" in said
    assert "Leave weights_path out" in said
