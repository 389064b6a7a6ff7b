import gzip
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
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


def test_debian_package_is_left_alone_where_the_project_has_the_data(nothing_here, plain, monkeypatch):
    monkeypatch.setattr(data, "DEBIAN_FOLDER", plain)
    folder = link(plain, nothing_here)
    assert data.locate(None) == folder


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


@pytest.mark.parametrize("how", ["missing", "of another version"])
def test_broken_torchvision_leaves_the_next_source(nothing_here, plain, monkeypatch, how):
    """Its import fails; Debian's package, here from a folder, is fetched."""

    def fails():
        raise AttributeError("partially initialized module 'torchvision' has no attribute 'extension'")

    def package(scratch):
        """Debian's package"""
        link(plain, scratch / "FashionMNIST" / "raw")

    if how == "missing":
        monkeypatch.setitem(sys.modules, "torchvision", None)
    else:
        monkeypatch.setattr(data, "import_torchvision", fails)
    monkeypatch.setattr(data, "_download_with_apt", package)
    assert data.locate(None) == nothing_here
    assert_installed(nothing_here, plain)


@pytest.mark.parametrize("source", ["_download_with_torchvision", "_download_with_apt"])
def test_altered_download_is_refused(nothing_here, plain, monkeypatch, source):
    """Whatever the mirror's own checks say of it."""

    def altered(scratch):
        """the mirror"""
        folder = link(plain, scratch / "FashionMNIST" / "raw")
        labels = folder / "t10k-labels-idx1-ubyte"
        content = labels.read_bytes()
        labels.unlink()
        labels.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    def unreachable(scratch):
        """the other"""
        raise OSError("no network")

    for name in ("_download_with_torchvision", "_download_with_apt"):
        monkeypatch.setattr(data, name, altered if name == source else unreachable)
    with pytest.raises(DataError, match="- the mirror: .*t10k-labels.* not the published file"):
        data.load()
    assert not nothing_here.exists()


@pytest.mark.parametrize(
    "answer, reason",
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 26421880\r\n\r\n" + bytes(300_000), "not found or corrupted"),
        (b"HTTP/1.0 200 OK\r\nContent-Le", "not found or corrupted"),
        (b"Welcome to this hotel\r\n", "Welcome to this hotel"),
        (b"", "without response"),
    ],
    ids=["in the file", "in its head", "another protocol", "at once"],
)
def test_download_that_breaks_off(nothing_here, monkeypatch, tmp_path, answer, reason):
    """A real server in the place of torchvision's mirror."""

    class BreaksOff(BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("PATH", str(tmp_path))  # no apt-get
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), BreaksOff) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        mirror = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(data.import_torchvision().datasets.FashionMNIST, "mirrors", [mirror])
        with pytest.raises(DataError, match="could not be fetched") as error:
            data.load()
        server.shutdown()
        thread.join()
    assert reason in str(error.value)
    assert not nothing_here.exists()


def test_full_disk(nothing_here, compressed, monkeypatch, tmp_path):
    """On a file system that has no room for the largest file."""
    (tmp_path / "small").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", tmp_path / "small"]
    try:
        done = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("mount is not on this machine")
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        monkeypatch.setattr(data, "DATA_FOLDER", tmp_path / "small" / "data")
        with pytest.raises(DataError, match="No space left .* Make room"):
            data.load(compressed)
        assert list((tmp_path / "small" / "data").iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path / "small"], check=True)


@pytest.fixture
def no_rights():
    """For root too there are files that he may not read or write."""
    if os.geteuid():
        yield
    else:
        os.seteuid(65534)
        yield
        os.seteuid(0)


def test_project_that_cannot_be_written_to(nothing_here, compressed, tmp_path, request):
    tmp_path.chmod(0o555)
    request.getfixturevalue("no_rights")
    with pytest.raises(DataError, match="Permission denied.*FASHION_MNIST_DIR") as error:
        data.load(compressed)
    assert str(nothing_here) in str(error.value)


def test_folder_that_cannot_be_read(nothing_here, plain, tmp_path, request):
    folder = link(plain, tmp_path / "given")
    folder.chmod(0)
    request.addfinalizer(lambda: folder.chmod(0o700))
    request.getfixturevalue("no_rights")
    with pytest.raises(DataError, match="Permission denied.*rights") as error:
        data.load(folder)
    assert str(folder) in str(error.value)


@pytest.mark.parametrize(
    "replace",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(bytes(47_040_016)),
        lambda path: path.symlink_to(path.with_name("t10k-images-idx3-ubyte")),
        lambda path: path.symlink_to(path.with_name("train-labels-idx1-ubyte")),
    ],
    ids=["empty", "zeros", "the test's", "labels"],
)
def test_another_file_in_the_place(nothing_here, plain, tmp_path, replace):
    path = link(plain, tmp_path / "given") / "train-images-idx3-ubyte"
    path.unlink()
    replace(path)
    with pytest.raises(DataError, match="not the published file") as error:
        data.load(tmp_path / "given")
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    "replace",
    [lambda path: path.symlink_to("nowhere"), lambda path: path.symlink_to(path), Path.mkdir],
    ids=["broken link", "link to itself", "folder"],
)
def test_no_file_in_the_place(nothing_here, plain, tmp_path, replace):
    path = link(plain, tmp_path / "given") / "t10k-labels-idx1-ubyte"
    path.unlink()
    replace(path)
    with pytest.raises(DataError, match="does not hold Fashion-MNIST"):
        data.load(tmp_path / "given")


def test_damaged_file_is_told_though_there_is_an_archive_of_it(nothing_here, plain, compressed, tmp_path):
    """Once it is deleted, the archive takes its place."""
    folder = link(compressed, link(plain, tmp_path / "given") / "archives").parent
    name = "t10k-labels-idx1-ubyte"
    (folder / f"{name}.gz").symlink_to(compressed / f"{name}.gz")
    (folder / name).unlink()
    (folder / name).write_bytes(b"damaged")
    with pytest.raises(DataError, match="Delete it"):
        data.locate(folder)
    (folder / name).unlink()
    assert data.locate(folder) == nothing_here
    assert_installed(nothing_here, plain)


@pytest.mark.parametrize("written", ["~/given", "given"], ids=["home", "relative"])
def test_folder_of_the_environment_as_people_write_it(nothing_here, plain, monkeypatch, tmp_path, written):
    """A relative one starts at the project, wherever the notebook is that loads the data."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(data, "PROJECT", tmp_path)
    monkeypatch.chdir("/")
    monkeypatch.setenv("FASHION_MNIST_DIR", written)
    folder = link(plain, tmp_path / "given")
    assert data.locate(None) == folder


def test_empty_environment_names_no_folder(nothing_here, plain, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", "")
    folder = link(plain, nothing_here)
    assert data.locate(None) == folder


@pytest.mark.slow
def test_two_processes_at_once(compressed, plain, tmp_path):
    script = (
        "import sys; from pathlib import Path; from moda import data; data.DATA_FOLDER = Path(sys.argv[1]);"
    )
    command = [sys.executable, "-c", f"{script} data.locate(sys.argv[2])", tmp_path / "data", compressed]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert_installed(tmp_path / "data", plain)


@pytest.mark.slow
def test_command_tells_its_error_in_one_line(tmp_path):
    environment = os.environ | {"FASHION_MNIST_DIR": str(tmp_path / "nowhere")}
    command = [sys.executable, "-m", "moda.data"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{tmp_path / 'nowhere'} does not hold Fashion-MNIST.")


@pytest.mark.slow
def test_apt_is_the_last_source(plain, torchvision_unreachable, needs, monkeypatch, tmp_path):
    """The real package of Debian's mirror, of which only the four files are kept."""
    needs("apt-get")
    needs("dpkg-deb")
    monkeypatch.setattr(data, "DATA_FOLDER", tmp_path / "data")
    try:
        assert data._fetch() == tmp_path / "data"
    except DataError as error:
        needs(f"Debian's mirror ({error})", there=False)
    assert_installed(tmp_path / "data", plain)


@pytest.mark.slow
def test_torchvision_is_imported_for_the_download_alone_and_helped_only_where_it_needs_it(plain):
    """In a process of its own, for an import is done once."""
    script = """
import sys
from moda import data
assert len(data.load().test) == 10_000
assert "torchvision" not in sys.modules
try:
    import torchvision
    works = True
except RuntimeError:
    works = False
assert data.import_torchvision().datasets.FashionMNIST
assert len(data._DECLARED) == (0 if works else 1), (works, data._DECLARED)
"""
    environment = os.environ | {"FASHION_MNIST_DIR": str(plain)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
