import gzip
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from moda import data
from moda.data import CLASSES, FILES, DataError, Images


@pytest.fixture(scope="session")
def plain(fashion_mnist) -> Path:
    """The folder of the four plain files that the project itself uses."""
    return data.locate(None)


@pytest.fixture(scope="session")
def compressed(plain, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("compressed")
    for name in FILES:
        (folder / f"{name}.gz").write_bytes(gzip.compress((plain / name).read_bytes(), compresslevel=1))
    return folder


@pytest.fixture
def nothing_here(plain, monkeypatch, tmp_path) -> Path:
    """A machine without the data set: the folder where it would be put, which does not exist yet."""
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setattr(data, "DATA_FOLDER", tmp_path / "data")
    monkeypatch.setattr(data, "DEBIAN_FOLDER", tmp_path / "debian")
    return tmp_path / "data"


@pytest.fixture
def torchvision_unreachable(monkeypatch):
    """torchvision's mirror is a port of this machine that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(data.import_torchvision().datasets.FashionMNIST, "mirrors", [closed])


def link(source: Path, folder: Path) -> Path:
    """`folder`, made to hold the files of `source`."""
    folder.mkdir(parents=True)
    for path in source.iterdir():
        if path.name.removesuffix(".gz") in FILES:
            (folder / path.name).symlink_to(path)
    return folder


def assert_same(one: data.FashionMNIST, other: data.FashionMNIST):
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(one, part).images, getattr(other, part).images)
        assert torch.equal(getattr(one, part).labels, getattr(other, part).labels)


def assert_installed(folder: Path, plain: Path):
    """The four files, unpacked, and nothing else."""
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert all((folder / name).read_bytes() == (plain / name).read_bytes() for name in FILES)


def labelled(part: Images) -> Counter:
    """The images with their labels, as things that can be counted."""
    rows = np.column_stack([part.images.flatten(1).numpy(), part.labels.numpy().astype(np.uint8)])
    return Counter(row.tobytes() for row in rows)


@pytest.mark.parametrize("part, size", [("train", 50_000), ("validation", 10_000), ("test", 10_000)])
def test_sizes_and_types(fashion_mnist, part, size):
    images = getattr(fashion_mnist, part)
    assert len(images) == size
    assert images.images.shape == (size, 28, 28) and images.images.dtype == torch.uint8
    assert images.labels.shape == (size,) and images.labels.dtype == torch.int64


def test_classes_are_equally_frequent(fashion_mnist):
    both = torch.cat([fashion_mnist.train.labels, fashion_mnist.validation.labels])
    assert both.bincount().tolist() == [6000] * 10
    assert fashion_mnist.test.labels.bincount().tolist() == [1000] * 10


def test_class_names():
    """In the order of the labels 0 to 9."""
    in_order = "Manga corta, Pantalón, Buzo, Vestido, Abrigo, Sandalia, Manga larga, Zapatilla, Bolso, Bota"
    assert ", ".join(CLASSES) == in_order


def test_test_images_are_those_of_the_file(fashion_mnist, plain):
    """Read by hand: 16 bytes of header, then one byte a pixel, row by row; 8 bytes, then the labels."""
    pixels = np.fromfile(plain / "t10k-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(plain / "t10k-labels-idx1-ubyte", np.uint8, offset=8)
    assert np.array_equal(fashion_mnist.test.images.numpy(), pixels.reshape(-1, 28, 28))
    assert np.array_equal(fashion_mnist.test.labels.numpy(), labels)


def test_split_loses_and_repeats_nothing(fashion_mnist, plain):
    pixels = np.fromfile(plain / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.fromfile(plain / "train-labels-idx1-ubyte", np.uint8, offset=8).astype(np.int64)
    whole = Images(torch.from_numpy(pixels), torch.from_numpy(labels))
    assert labelled(fashion_mnist.train) + labelled(fashion_mnist.validation) == labelled(whole)


def test_split_is_always_the_same(fashion_mnist):
    """Not only in this process: every stored run was validated on these images."""
    torch.manual_seed(1234)
    assert_same(data.load(), fashion_mnist)
    assert fashion_mnist.train.labels[:12].tolist() == [6, 7, 9, 4, 9, 3, 4, 9, 7, 9, 4, 6]
    assert fashion_mnist.validation.labels[:12].tolist() == [8, 7, 9, 7, 6, 9, 9, 9, 7, 6, 7, 5]


def test_pixels(fashion_mnist):
    some = fashion_mnist.train[:100]
    before = some.images.clone()
    pixels = some.pixels
    assert pixels.shape == (100, 1, 28, 28) and pixels.dtype == torch.float32
    assert pixels.min() == 0 and pixels.max() == 1
    assert torch.equal(pixels[:, 0].mul(255).round().to(torch.uint8), before)
    assert torch.equal(some.images, before)


def test_images_select_and_move_together(fashion_mnist):
    chosen = fashion_mnist.test[torch.tensor([5, 3])].to("cpu")
    assert len(chosen) == 2
    assert torch.equal(chosen.images[1], fashion_mnist.test.images[3])
    assert chosen.labels.tolist() == fashion_mnist.test.labels[[5, 3]].tolist()


@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw"])
def test_plain_files_are_used_where_they_are(nothing_here, fashion_mnist, plain, tmp_path, layout):
    link(plain, tmp_path / "given" / layout)
    assert_same(data.load(tmp_path / "given"), fashion_mnist)
    assert not nothing_here.exists()


def test_compressed_files_are_unpacked(nothing_here, fashion_mnist, plain, compressed):
    assert_same(data.load(compressed), fashion_mnist)
    assert_installed(nothing_here, plain)


def test_folder_of_the_environment_goes_first(nothing_here, plain, monkeypatch, tmp_path):
    link(plain, nothing_here)
    elsewhere = link(plain, tmp_path / "elsewhere")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(elsewhere))
    assert data.locate(None) == elsewhere
    assert data.locate(plain) == plain  # and the argument before it


def test_debian_package_is_unpacked(nothing_here, plain, compressed, monkeypatch):
    monkeypatch.setattr(data, "DEBIAN_FOLDER", compressed)
    assert data.locate(None) == nothing_here
    assert_installed(nothing_here, plain)


def test_altered_file(nothing_here, plain, tmp_path):
    folder = link(plain, tmp_path / "given")
    altered = folder / "t10k-labels-idx1-ubyte"
    content = bytearray(altered.read_bytes())
    content[-1] ^= 1
    altered.unlink()
    altered.write_bytes(content)
    with pytest.raises(DataError, match="SHA-256") as error:
        data.load(folder)
    assert str(altered) in str(error.value) and "Delete it" in str(error.value)


@pytest.mark.parametrize("kept", [slice(-100), slice(5), slice(1, None)], ids=["end", "header", "start"])
def test_damaged_archive(nothing_here, compressed, tmp_path, kept):
    """Cut off in the middle, in its header, or no archive at all."""
    folder = link(compressed, tmp_path / "given")
    damaged = folder / "train-images-idx3-ubyte.gz"
    content = damaged.read_bytes()[kept]
    damaged.unlink()
    damaged.write_bytes(content)
    with pytest.raises(DataError, match="damaged") as error:
        data.load(folder)
    assert str(damaged) in str(error.value) and "Delete it" in str(error.value)
    assert not nothing_here.exists()


@pytest.mark.parametrize("present", [[], list(FILES)[:3]], ids=["none", "three"])
def test_given_folder_without_the_files(nothing_here, plain, tmp_path, present):
    """It is not replaced by another source in silence."""
    link(plain, nothing_here)
    folder = tmp_path / "given"
    folder.mkdir()
    for name in present:
        (folder / name).symlink_to(plain / name)
    with pytest.raises(DataError) as error:
        data.load(folder)
    assert str(folder) in str(error.value) and "FASHION_MNIST_DIR" in str(error.value)
    assert all(name in str(error.value) for name in FILES)


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="does not hold Fashion-MNIST"):
        data.load(tmp_path / "missing")


def test_no_source_at_all(nothing_here, torchvision_unreachable, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError) as error:
        data.load()
    text = str(error.value)
    assert "- torchvision's download: Error downloading" in text
    assert "- Debian's package through apt-get: apt-get and dpkg-deb are not on this machine" in text
    for way_out in ("network", data.DEBIAN_PACKAGE, str(nothing_here), "FASHION_MNIST_DIR"):
        assert way_out in text
    assert not nothing_here.exists()


def test_apt_is_the_last_source(plain, torchvision_unreachable, needs, monkeypatch, tmp_path):
    """The real package of Debian's mirror, of which only the four files are kept."""
    needs("apt-get")
    needs("dpkg-deb")
    monkeypatch.setattr(data, "DATA_FOLDER", tmp_path / "data")
    assert data._fetch() == tmp_path / "data"
    assert_installed(tmp_path / "data", plain)


def test_torchvision_gets_help_only_where_it_needs_it(plain):
    """In a process of its own, for an import is done once."""
    script = """
try:
    import torchvision
    works = True
except RuntimeError:
    works = False
from moda import data
assert len(data.load().test) == 10_000
assert len(data._DECLARED) == (0 if works else 1), (works, data._DECLARED)
"""
    environment = os.environ | {"FASHION_MNIST_DIR": str(plain)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
