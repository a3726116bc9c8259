"""Images with texts: layouts, captions drawn and wrong ones, resuming, processes, and what cannot be used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from datamodules import CaptionedImageDataModule
from datamodules.components.caption_batches import CaptionedImages
from datamodules.components.loading import EpochLoader, TensorImages
from datamodules.components.tokens import TextTokenizer

Write = Callable[..., CaptionedImageDataModule]


def image(path: Path, value: int = 100) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, value, value)).save(path)


def rows(root: Path, *found: dict[str, Any], name: str = "metadata.jsonl") -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("".join(f"{json.dumps(row)}\n" for row in found))


def make(root: Path, **arguments: Any) -> CaptionedImageDataModule:
    return CaptionedImageDataModule(
        str(root), **{"image_size": 8, "num_workers": 0, "val_size": 0, "batch_size": 2, **arguments}
    )


def texts(data: CaptionedImageDataModule, split: str = "train") -> dict[str, list[str]]:
    return {Path(image.path).name: image.texts for image in data._images[split]}


def numbered(root: Path, size: int = 14) -> Path:
    """Image i has level i, and captions "i a", "i b" and so on, one to three of them."""
    for i in range(size):
        image(root / f"{i:02d}.png", i)
    rows(
        root,
        *({"file_name": f"{i:02d}.png", "text": [f"{i} {word}" for word in "abc"[: 1 + i % 3]]} for i in range(size)),
    )
    return root


# Layouts.


def test_metadata_in_json_lines_or_csv(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        image(tmp_path / "images" / name)
    rows(
        tmp_path,
        {"file_name": "images/a.png", "text": "  a  red\napple ", "tags": ["fruit", "red"], "split": "train"},
        {"file_name": "images/b.png", "text": ["two cats", "cats"], "tags": [], "split": "train"},
        {"file_name": "images/b.png", "text": "a pair of cats", "tags": "pets", "split": "train"},
        {"file_name": "images/c.png", "text": "a dog", "tags": None, "split": "validation"},
    )
    data = make(tmp_path)
    assert texts(data) == {"a.png": ["a red apple"], "b.png": ["two cats", "cats", "a pair of cats"]}
    assert texts(data, "val") == {"c.png": ["a dog"]}
    assert data.texts == ["a dog"]
    joined = texts(make(tmp_path, join=["tags"]))
    assert joined == {"a.png": ["a red apple, fruit, red"], "b.png": ["two cats", "cats", "a pair of cats, pets"]}
    assert texts(make(tmp_path, text_key="tags"))["a.png"] == ["fruit", "red"]

    (tmp_path / "metadata.jsonl").unlink()
    (tmp_path / "metadata.csv").write_text(
        'file_name,caption\nimages/a.png,"red, ""ripe"""\nimages/b.png,007\nimages/c.png,a dog\n', encoding="utf-8-sig"
    )
    assert texts(make(tmp_path)) == {"a.png": ['red, "ripe"'], "b.png": ["007"], "c.png": ["a dog"]}


def test_metadata_in_the_folder_of_each_split(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        image(tmp_path / split / f"{split}.png")
        image(tmp_path / split / f"{split}2.png")
        rows(tmp_path / split, *({"file_name": f"{split}{i}.png", "text": f"{split} {i}"} for i in ("", "2")))
    data = make(tmp_path)
    assert [[*texts(data, split)] for split in ("train", "val", "test")] == [
        ["train.png", "train2.png"],
        ["valid.png", "valid2.png"],
        ["test.png", "test2.png"],
    ]


def test_flickr8k(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        image(tmp_path / "Images" / name)
    lines = ["image,caption", "a.jpg,A dog , running .", 'a.jpg,"Say ""hi"" , dog"', "b.jpg,A cat", "c.jpg,A cow"]
    (tmp_path / "captions.txt").write_text("\n".join(lines))
    expected = {"a.jpg": ["A dog , running .", 'Say "hi" , dog'], "b.jpg": ["A cat"], "c.jpg": ["A cow"]}
    assert texts(make(tmp_path)) == expected
    (tmp_path / "captions.txt").unlink()
    (tmp_path / "Flickr8k.token.txt").write_text(
        "a.jpg#0\tA dog , running .\na.jpg#1\tDog\nb.jpg#0\tA cat\nc.jpg#0\tA cow"
    )
    (tmp_path / "Flickr_8k.devImages.txt").write_text("b.jpg\n")
    data = make(tmp_path)
    assert texts(data) == {"a.jpg": ["A dog , running .", "Dog"], "c.jpg": ["A cow"]}
    assert texts(data, "val") == {"b.jpg": ["A cat"]}


@pytest.mark.parametrize("lists", ["classes", "images"])
def test_birds_and_flowers(tmp_path: Path, lists: str) -> None:
    birds = {"001.Gull": ["gull_1", "gull_2"], "002.Crow": ["crow_1"], "003.Wren": ["wren_1", "wren_2"]}
    tails = [f"{kind}/{name}" for kind in birds for name in birds[kind]]
    for tail in tails:
        image(tmp_path / "CUB_200_2011" / "images" / f"{tail}.jpg")
        text = tmp_path / "text_c10" / f"{tail}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(f"a {text.stem[:-2]} with wings\nthis is {text.stem[:-2]} {tail[-1]}\n")
    if lists == "classes":
        (tmp_path / "trainvalclasses.txt").write_text("001.Gull\n002.Crow\n")
        (tmp_path / "testclasses.txt").write_text("003.Wren\n")
        (tmp_path / "valclasses.txt").write_text("002.Crow\n")
    else:
        (tmp_path / "CUB_200_2011" / "images.txt").write_text("".join(f"{i} {t}.jpg\n" for i, t in enumerate(tails, 1)))
        (tmp_path / "CUB_200_2011" / "train_test_split.txt").write_text("1 1\n2 0\n3 1\n4 1\n5 0\n")
    data = make(tmp_path)
    assert (data.num_classes, data.class_names) == (3, [*birds])
    expected = (
        [["gull_1.jpg", "gull_2.jpg"], ["crow_1.jpg"], ["wren_1.jpg", "wren_2.jpg"]]
        if lists == "classes"
        else [["gull_1.jpg", "crow_1.jpg", "wren_1.jpg"], [], ["gull_2.jpg", "wren_2.jpg"]]
    )
    assert [[*texts(data, split)] for split in ("train", "val", "test")] == expected
    if lists == "images":
        batch = next(iter(data.train_dataloader()))
        assert batch["labels"].dtype == torch.int64
        # A wrong text is of another class.
        for epoch in range(5):
            loader = data.train_dataloader()
            loader.sampler.set_epoch(epoch)
            for batch in loader:
                wrong = [
                    text.split()[1 if text.startswith("a ") else 2] for text in decoded(data, batch["wrong_tokens"])
                ]
                own = [data.class_names[label][4:].lower() for label in batch["labels"]]
                assert all(one != other for one, other in zip(wrong, own, strict=True))


def test_a_list_of_captions_in_the_folder_of_each_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        image(tmp_path / split / "0.jpg")
        image(tmp_path / split / "images" / "1.jpg")
        (tmp_path / split / "captions.txt").write_text(f"image,caption\n0.jpg,{split} 0\n1.jpg,{split} 1\n")
    data = make(tmp_path)
    for split in ("train", "test"):
        assert texts(data, split) == {"0.jpg": [f"{split} 0"], "1.jpg": [f"{split} 1"]}


def test_a_text_beside_each_image(tmp_path: Path) -> None:
    for split, name in [("train", "a"), ("train", "b"), ("test", "a")]:
        image(tmp_path / split / f"{name}.png")
        (tmp_path / split / f"{name}.txt").write_text(f"{split} {name}")
    data = make(tmp_path)
    assert texts(data) == {"a.png": ["train a"], "b.png": ["train b"]}
    assert texts(data, "test") == {"a.png": ["test a"]}
    assert data.num_classes is None


def test_images_are_held_out_where_nothing_says_which(tmp_path: Path) -> None:
    numbered(tmp_path)
    data = make(tmp_path, val_size=3, test_size=2, hold_out=["4 A"])
    assert [len(texts(data, split)) for split in ("train", "val", "test")] == [8, 3, 3]
    assert "04.png" in texts(data, "test")
    assert len({*texts(data), *texts(data, "val"), *texts(data, "test")}) == 14
    with pytest.raises(ValueError, match=r"^hold_out has 'green heart', and no image in .* has that text"):
        make(tmp_path, hold_out=["green heart"])


# Batches.


def decoded(data: CaptionedImageDataModule, tokens: torch.Tensor) -> list[str]:
    return TextTokenizer(data.tokenizer).decode(tokens)


def epoch_of(data: CaptionedImageDataModule, epoch: int = 0) -> list[tuple[int, str, str]]:
    """Level, caption and wrong caption of each image of an epoch."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    result = []
    for batch in loader:
        levels = batch["images"][:, 0, 0, 0].tolist()
        result += zip(levels, decoded(data, batch["tokens"]), decoded(data, batch["wrong_tokens"]), strict=True)
    return result


def test_captions_go_with_their_images_and_are_drawn_anew(tmp_path: Path) -> None:
    data = make(numbered(tmp_path))
    epochs = [epoch_of(data, epoch) for epoch in range(40)]
    for epoch in epochs:
        assert len(epoch) == 14
        assert all(caption.split()[0] == str(level) for level, caption, _ in epoch)
        assert all(wrong.split()[0] != str(level) for level, _, wrong in epoch)
    # Every caption of an image comes up, about as often.
    drawn = [caption for epoch in epochs for level, caption, _ in epoch if level == 2]
    assert {caption: drawn.count(caption) > 5 for caption in {*drawn}} == {"2 a": True, "2 b": True, "2 c": True}
    # Wrong ones are of all other images: 27 captions, less 3.
    wrong = [caption for epoch in epochs for level, _, caption in epoch if level in (2, 5, 8, 11)]
    assert len({*wrong}) > 20
    assert epoch_of(data, 3) == epoch_of(make(tmp_path), 3)
    assert epoch_of(data, 3) != epoch_of(make(tmp_path, seed=1), 3)


def test_wrong_captions_are_uniform_over_those_that_are_not_barred() -> None:
    tokens = [torch.tensor(rows) for rows in ([[2], [3]], [[3], [4]], [[5]], [[2], [6]])]
    images = CaptionedImages(TensorImages(torch.zeros(4, 1, 1, 1, dtype=torch.uint8), None), torch.arange(4), tokens)
    # Image 0 has 2 and 3: barred are both, the 3 of image 1 and the 2 of image 3.
    assert images.barred(0).tolist() == [0, 1, 2, 5]
    places = torch.tensor([[0.0, chance] for chance in np.linspace(0, 1, 300, endpoint=False)])
    _, wrong = images.draw(torch.zeros(300, dtype=torch.int64), places)
    assert torch.bincount(wrong[:, 0]).tolist() == [0, 0, 0, 0, 100, 100, 100]
    _, wrong = images.draw(torch.full((300,), 2), places)  # has 5 alone
    assert sorted(torch.bincount(wrong[:, 0]).tolist()) == [0, 0, 0, 50, 50, 100, 100]


def test_evaluation_takes_the_first_caption_of_each_image_in_order(tmp_path: Path) -> None:
    # All characters: the numbers of these images are words that no other has.
    data = make(numbered(tmp_path), val_size=4, batch_size=3, tokens="reed")
    batches = [*data.val_dataloader()]
    assert [sorted(batch) for batch in batches] == 2 * [["images", "tokens"]]
    captions = [text for batch in batches for text in decoded(data, batch["tokens"])]
    assert captions == [f"{level} a" for batch in batches for level in batch["images"][:, 0, 0, 0].tolist()]
    assert captions == data.texts


def drawn(loader: EpochLoader, epoch: int | None = None, batches: int | None = None) -> list[list[bytes]]:
    if epoch is not None:
        loader.sampler.set_epoch(epoch)
    result = []
    for batch in loader:
        result.append([part.numpy().tobytes() for part in batch.values()])
        if len(result) == batches:
            break
    return result


@pytest.mark.parametrize("in_memory", [True, False])
def test_resuming_at_every_batch_gives_the_uninterrupted_tail(tmp_path: Path, in_memory: bool) -> None:
    numbered(tmp_path)

    def data() -> CaptionedImageDataModule:
        return make(tmp_path, batch_size=4, in_memory=in_memory, flip=True)

    epochs = [drawn(data().train_dataloader(), epoch) for epoch in range(3)]
    for epoch in range(2):
        for stop in range(1, 4):
            first, second = data().train_dataloader(), data().train_dataloader()
            assert drawn(first, epoch, stop) == epochs[epoch][:stop]
            second.load_state_dict(first.state_dict())
            if stop < len(first):
                assert drawn(second) == epochs[epoch][stop:]
            assert drawn(second, epoch + 1) == epochs[epoch + 1]


def test_together_processes_see_what_one_alone_sees(tmp_path: Path, as_process: Any) -> None:
    numbered(tmp_path)
    alone = epoch_of(make(tmp_path, batch_size=2), 1)
    shares = [epoch_of(as_process(make(tmp_path, batch_size=1), rank, 2), 1) for rank in range(2)]
    assert [each for pair in zip(*shares, strict=True) for each in pair] == alone


# Texts.


def test_another_alphabet(tmp_path: Path) -> None:
    for i, text in enumerate(["красное яблоко", "红苹果", "ein grünes Äpfelchen", "זְנַב"]):
        image(tmp_path / f"{i}.png", i)
        (tmp_path / f"{i}.txt").write_text(text, encoding="utf-8")
    data = make(tmp_path)
    assert sorted(decoded(data, torch.cat([batch["tokens"] for batch in data.train_dataloader()]))) == sorted(
        ["красное яблоко", "红 苹 果", "ein grünes äpfelchen", "זְנַב"]
    )
    assert make(tmp_path, tokens="characters", max_tokens=40).tokenizer != data.tokenizer


def test_a_text_of_ten_thousand_words_is_cut(tmp_path: Path) -> None:
    numbered(tmp_path, 3)
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": "00.png", "text": "word " * 10_000}) + "\n")
    data = make(tmp_path)
    with pytest.warns(
        UserWarning, match=r"1 of 7 captions are longer than max_tokens, 18, and are cut there, such as 'word word"
    ):
        data.setup()
    assert next(iter(data.train_dataloader()))["tokens"].shape == (2, 18)


def test_a_tokenizer_of_another_program(tmp_path: Path) -> None:
    numbered(tmp_path / "data", 3)
    other = TextTokenizer.train(["c b a 2 1 0"], 9)
    (tmp_path / "tokenizer.json").write_text(other.json)
    data = make(tmp_path / "data", tokenizer=str(tmp_path / "tokenizer.json"), max_tokens=4)
    assert next(iter(data.train_dataloader()))["tokens"].shape == (2, 4)
    assert TextTokenizer(data.tokenizer).n_tokens == other.n_tokens
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"^tokenizer is '.*tokenizer.json': This is no tokenizer of the library"):
        make(tmp_path / "data", tokenizer=str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match=r"^tokenizer is 'nowhere.json': there is no such file"):
        make(tmp_path / "data", tokenizer="nowhere.json")


# What cannot be used.


def test_what_is_left_out_is_told_or_refused(tmp_path: Path) -> None:
    numbered(tmp_path, 4)
    image(tmp_path / "silent.png")
    image(tmp_path / "empty.png")
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": "gone.png", "text": "nothing"}) + "\n")
        file.write(json.dumps({"file_name": "empty.png", "text": " "}) + "\n")
        file.write(json.dumps({"file_name": "../../etc/passwd.png", "text": "not below the folder"}) + "\n")
    told = r"2 images have no text: .*empty.png, .*silent.png; 2 texts have no image: gone.png, \.\..*; 1 caption is"
    with pytest.warns(UserWarning, match=told):
        data = make(tmp_path)
    assert len(texts(data)) == 4
    with pytest.raises(ValueError, match=rf"{told} empty. Mend them, or set strict to false to leave them out"):
        make(tmp_path, strict=True)


def test_texts_without_an_image_in_one_folder_with_the_images(tmp_path: Path) -> None:
    for i in range(3):
        image(tmp_path / f"{i}.png", i)
        (tmp_path / f"{i}.txt").write_text(f"picture {i}")
    (tmp_path / "README.txt").write_text("about the pictures")
    assert len(texts(make(tmp_path, strict=True))) == 3
    (tmp_path / "lost.txt").write_text("picture 4")
    with pytest.warns(UserWarning, match=r"1 text has no image: .*lost.txt; they are left out"):
        make(tmp_path)


def test_captions_in_which_nothing_is_known(tmp_path: Path) -> None:
    numbered(tmp_path, 3)
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({"file_name": "00.png", "text": "?!"}) + "\n")
    with pytest.warns(UserWarning, match=r"1 of 7 captions for training have no token that .* such as '\?!'"):
        make(tmp_path).setup()


def test_a_broken_image_is_skipped_with_its_captions(tmp_path: Path) -> None:
    numbered(tmp_path, 5)
    (tmp_path / "02.png").write_text("no image")
    data = make(tmp_path)
    with pytest.warns(UserWarning, match=r"skipped 1 of 5 images: .*02.png \(not an image\)"):
        data.setup()
    assert sorted(level for level, _, _ in epoch_of(data)) == [0, 1, 3, 4]
    assert all(caption.startswith(str(level)) and wrong[0] != "2" for level, caption, wrong in epoch_of(data))
    with pytest.raises(ValueError, match=r"1 of the 5 images in .* cannot be used"):
        make(tmp_path, strict=True).setup()


def metadata(root: Path, content: str) -> None:
    image(root / "a.png")
    (root / "metadata.jsonl").write_text(content)


@pytest.mark.parametrize(
    ("lay_out", "message"),
    [
        (lambda root: metadata(root, "{"), r"line 1 of .*metadata.jsonl is no JSON object"),
        (lambda root: metadata(root, "[1]"), r"line 1 of .*metadata.jsonl is no JSON object, but \[1\]"),
        (
            lambda root: metadata(root, '\n{"text": "a"}'),
            r"line 2 of .* has no file_name, which says what image it is of",
        ),
        (
            lambda root: metadata(root, '{"file_name": "a.png", "name": "a"}'),
            r"has no text, but file_name, name: set text",
        ),
        (
            lambda root: metadata(root, '{"file_name": "a.png", "text": {}}'),
            r"has a text that is neither a text nor a l",
        ),
        (
            lambda root: metadata(root, '{"file_name": "b.png", "text": "b"}'),
            r"1 text has no image: b.png: nothing is",
        ),
        (lambda root: image(root / "a.png"), r"has no images with texts: put a metadata.jsonl"),
        (
            lambda root: (image(root / "a.jpg"), (root / "captions.txt").write_text("image,caption\nhello there")),
            r"line 2 of .*captions.txt is no name of an image and its caption: hello there",
        ),
        (
            lambda root: (image(root / "a.png"), (root / "a.txt").write_bytes(b"\xff\xfe\xff")),
            r"1 image has no text: .*a.png; 1 text file cannot be read: .*a.txt \(it is no UTF-8 text\): nothing",
        ),
        (
            lambda root: metadata(root, '{"file_name": "a.png", "text": "a", "split": "unseen"}'),
            r"line 1 of .*metadata.jsonl has the split 'unseen': it must be train, val or test",
        ),
        (
            lambda root: metadata(root, '{"file_name": "a.png", "text": "a", "split": "test"}'),
            r"Nothing is left to train on: all 1 images with texts",
        ),
    ],
)
def test_lists_that_cannot_be_read(tmp_path: Path, lay_out: Callable[[Path], Any], message: str) -> None:
    lay_out(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        make(tmp_path)


def test_images_that_all_have_one_text_are_refused(tmp_path: Path) -> None:
    for i in range(3):
        image(tmp_path / f"{i}.png", i)
    rows(tmp_path, *({"file_name": f"{i}.png", "text": "the same"} for i in range(3)))
    with pytest.raises(ValueError, match="is also one of training image 0, or of its class, so that none is wrong"):
        make(tmp_path).setup()


def test_arguments(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"^CaptionedImageDataModule: there is no folder nowhere"):
        CaptionedImageDataModule("nowhere")
    numbered(tmp_path, 3)
    for name, value in {"max_tokens": 0, "batch_size": 0, "val_size": -1, "tokens": "letters", "join": "tags"}.items():
        with pytest.raises(ValueError, match=rf"^{name} is "):
            make(tmp_path, **{name: value})
    (tmp_path / "metadata.jsonl").unlink()
    with pytest.raises(ValueError, match=r"text_key and join name what a metadata.jsonl or metadata.csv has"):
        make(tmp_path, join=["tags"])
