"""``gan-lightning export``."""

from pathlib import Path

import pytest

from gan_lightning.cli import main
from gan_lightning.variants import CycleGAN
from tests.helpers.games import save_checkpoint, small

pytest.importorskip("onnxruntime")


def test_a_file_is_written_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "digits.onnx"
    assert main(["export", "--ckpt", "zoo:conditional_gan_mnist", "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{out}: ConditionalGAN, ")
    assert "inputs: latent (batch x 100), labels (batch); output: images" in told
    assert [*out.parent.iterdir()] == [out]


def test_other_formats_and_domains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = save_checkpoint(small(CycleGAN, domain_names=["night", "day"]), tmp_path / "model.ckpt")
    for form, name, more in (("torch", "day.pt2", ["--domain", "day"]), ("safetensors", "model.safetensors", [])):
        out = tmp_path / name
        assert main(["export", "--ckpt", str(checkpoint), "--format", form, "--out", str(out), *more]) == 0
        assert out.stat().st_size > 1000
    assert "image (batch x 1 x height x width)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--out", "taken.onnx"], "taken.onnx exists: name a new file."),
        (["--out", "model.pt"], "must end with .onnx"),
        (["--out", "model.onnx", "--domain", "B"], "makes images of one domain"),
        (["--out", "model.onnx", "--format", "tflite"], "invalid choice"),
    ],
)
def test_mistakes_are_one_sentence(
    options: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken.onnx").write_bytes(b"mine")
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--ckpt", "zoo:dcgan_digits", *options])
    told = capsys.readouterr().err
    assert says in told
    assert len(told.splitlines()) == 1
    assert Path("taken.onnx").read_bytes() == b"mine"
