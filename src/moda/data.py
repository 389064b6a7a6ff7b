"""Fashion-MNIST as resident tensors (paper, sections I and III).

`load()` finds or fetches the four files, verifies and reads them. torchvision only serves to download, and is
imported only then, because that takes as long as everything else.
Sources, in order: the given folder (argument or FASHION_MNIST_DIR), `data/` in the project, Debian's package
if installed, torchvision's download, Debian's package fetched without root.
Nothing is synced to disk: every load verifies every file, so a torn write is detected.
"""

import gzip
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moda.errors import ModaError

PROJECT = Path(__file__).resolve().parents[2]
if not (PROJECT / "pyproject.toml").exists():
    raise ModaError(
        f"{Path(__file__).parent} is not in the project, whose runs and notebooks it needs beside it. "
        "Install it from a clone: pip install --editable ."
    )
DATA_FOLDER = PROJECT / "data"
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
DEBIAN_PACKAGE = "dataset-fashion-mnist"

# SHA-256 of the uncompressed files, whatever the source.
FILES = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# One value for the whole data set: it is part of every run's name.
CHECKSUM = hashlib.sha256("".join(FILES.values()).encode()).hexdigest()

# Labels 0 to 9, as in the paper's Fig. 7.
CLASSES = (
    "Manga corta",
    "Pantalón",
    "Buzo",
    "Vestido",
    "Abrigo",
    "Sandalia",
    "Manga larga",
    "Zapatilla",
    "Bolso",
    "Bota",
)

TRAIN_SIZE = 50_000
# Fixed, so that every run, whatever its seed, uses the same 10000 validation images.
SPLIT_SEED = 0


class DataError(ModaError, RuntimeError):
    """The data set is missing, damaged or unreachable; the message says what to do."""


@dataclass(frozen=True)
class Images:
    """`images`: uint8 (M, 28, 28), 0 black to 255 white; `labels`: int64 (M,), 0 to 9."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index) -> "Images":
        """The images selected by `index`, a slice or a tensor of positions."""
        return Images(self.images[index], self.labels[index])

    def to(self, device) -> "Images":
        return Images(self.images.to(device), self.labels.to(device))

    @property
    def pixels(self) -> Tensor:
        """The networks' input: float32 (M, 1, 28, 28) in [0, 1]."""
        return self.images.unsqueeze(1).float().div_(255)


@dataclass(frozen=True)
class FashionMNIST:
    """50000 training, 10000 validation and 10000 test images (paper, section III)."""

    train: Images
    validation: Images
    test: Images


def load(folder: str | os.PathLike | None = None) -> FashionMNIST:
    """Read the data set from the first source that has it (see the module's docstring).

    The 60000 training images are split by a permutation seeded with SPLIT_SEED, so every prefix of
    `train` is a random sample too. Raises DataError.
    """
    files = locate(folder)
    train, test = (
        Images(
            _idx(files / f"{part}-images-idx3-ubyte").unflatten(0, (-1, 28, 28)),
            _idx(files / f"{part}-labels-idx1-ubyte").long(),
        )
        for part in ("train", "t10k")
    )
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(SPLIT_SEED))
    train = train[order]
    return FashionMNIST(train[:TRAIN_SIZE], train[TRAIN_SIZE:], test)


def _idx(path: Path) -> Tensor:
    """The uint8 values of an IDX file, flat.

    Its header is four bytes, the last being the number of dimensions, and four more per dimension.
    """
    content = np.fromfile(path, dtype=np.uint8)
    return torch.from_numpy(content[4 + 4 * content[3] :])


def locate(folder: str | os.PathLike | None) -> Path:
    """The folder with the four files, uncompressed and verified.

    A relative FASHION_MNIST_DIR is resolved against the project, because notebooks run in their own folder.
    """
    if not folder and (chosen := os.environ.get("FASHION_MNIST_DIR")):
        folder = PROJECT / os.path.expanduser(chosen)
    try:
        return _locate(Path(folder)) if folder else _locate_or_fetch()
    except OSError as error:
        raise DataError(
            f"Fashion-MNIST cannot be read, or not stored in {DATA_FOLDER}: {error}. Make room or fix the "
            f"rights there, or set FASHION_MNIST_DIR to a folder with {', '.join(FILES)}, uncompressed."
        ) from error


def _locate(chosen: Path) -> Path:
    found = _verified(chosen)
    if not found:
        raise DataError(
            f"{chosen.absolute()} does not hold Fashion-MNIST. It needs the files {', '.join(FILES)}, plain "
            "or .gz, in it or in FashionMNIST/raw below it. Correct the folder, or unset "
            "FASHION_MNIST_DIR to let the project fetch the data."
        )
    return found


def _locate_or_fetch() -> Path:
    return _verified(DATA_FOLDER) or _verified(DEBIAN_FOLDER) or _fetch()


def _verified(place: Path) -> Path | None:
    """The folder of the four verified files below `place`; DATA_FOLDER if any had to be decompressed."""
    files = _files_in(place)
    if not files:
        return None
    contents = {name: _content(name, path) for name, path in files.items()}
    if any(path.suffix == ".gz" for path in files.values()):
        return _install(contents)
    return next(iter(files.values())).parent


def _files_in(place: Path) -> dict[str, Path] | None:
    """The four files below `place`, each plain or compressed; None unless all are there."""
    for folder in (place, place / "FashionMNIST" / "raw"):  # the second is torchvision's layout
        files = {}
        for name in FILES:
            plain = folder / name
            files[name] = plain if _is_file(plain) else folder / f"{name}.gz"
        if all(map(_is_file, files.values())):
            return files
    return None


def _is_file(path: Path) -> bool:
    """`Path.is_file`, but raising PermissionError, which Python 3.14 and later turn into False."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        raise
    except OSError:
        return False


def _content(name: str, path: Path) -> bytes:
    """The uncompressed bytes of the file `name`; DataError unless they are the published ones."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}). Delete it and run again.") from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != FILES[name]:
        raise DataError(
            f"{path} is not the published file of Fashion-MNIST: its SHA-256 is {checksum}, not "
            f"{FILES[name]}. Delete it and run again."
        )
    return content


def _install(contents: dict[str, bytes]) -> Path:
    """Write the files into DATA_FOLDER, each under another name until it is complete."""
    DATA_FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA_FOLDER) as scratch:
        for name, content in contents.items():
            partial = Path(scratch) / name
            partial.write_bytes(content)
            partial.replace(DATA_FOLDER / name)
    return DATA_FOLDER


def _fetch() -> Path:
    """Fill DATA_FOLDER from the first reachable source."""
    reasons = []
    for fetch in (_download_with_torchvision, _download_with_apt):
        try:
            contents = _fetched(fetch)
        except Exception as error:  # a broken torchvision raises any
            reasons.append(f"- {fetch.__doc__}: {' '.join(str(error).split())}")
        else:
            return _install(contents)
    raise DataError(
        "Fashion-MNIST is not on this machine and could not be fetched:\n"
        + "\n".join(reasons)
        + f"\nConnect to the network, or install Debian's package {DEBIAN_PACKAGE}, or put the four "
        f"files {', '.join(FILES)} (plain or .gz) into {DATA_FOLDER}, or set FASHION_MNIST_DIR to "
        "the folder that holds them."
    )


def _fetched(fetch: Callable[[Path], None]) -> dict[str, bytes]:
    """The verified files that `fetch` puts into the folder it is given."""
    with tempfile.TemporaryDirectory() as scratch:
        fetch(Path(scratch))
        files = _files_in(Path(scratch))
        if not files:
            raise DataError("it does not hold the four files")
        return {name: _content(name, path) for name, path in files.items()}


def _download_with_torchvision(scratch: Path) -> None:
    """torchvision's download"""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # torchvision sets none, and would hang for ever on a silent network
    try:
        import_torchvision().datasets.FashionMNIST(scratch, download=True)
    finally:
        socket.setdefaulttimeout(patience)


def _download_with_apt(scratch: Path) -> None:
    """Debian's package through apt-get"""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError("apt-get and dpkg-deb are not on this machine")
    # Its own lists and cache, so that it needs no rights over the system's.
    apt = ["apt-get", "-qq", f"-oDir::State::Lists={scratch}/lists", f"-oDir::Cache={scratch}/cache"]
    apt += ["-oAPT::Sandbox::User="]
    for folder in ("lists/partial", "cache/archives/partial"):
        (scratch / folder).mkdir(parents=True)
    for command in (
        [*apt, "update"],
        [*apt, "download", DEBIAN_PACKAGE],
        ["sh", "-c", f"dpkg-deb -x {DEBIAN_PACKAGE}_*.deb ."],
    ):
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise DataError(f"{' '.join(command)} failed: {done.stderr[-500:]}")
    for path in scratch.glob(f"{str(DEBIAN_FOLDER)[1:]}/*.gz"):
        path.rename(scratch / path.name)


def import_torchvision():
    """torchvision, even if its compiled operators cannot load.

    PyPI's torchvision is built for CUDA; with a CPU-only torch its import fails for lack of two operators
    that only detection models use. Declaring them is enough for the rest to work.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        declared = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            declared.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _DECLARED.append(declared)
        import torchvision
    import torchvision.datasets

    return torchvision


# Kept alive, because a torch.library.Library takes its operators with it when collected.
_DECLARED: list = []

if __name__ == "__main__":
    try:
        print(f"Fashion-MNIST: {locate(None)}")
    except DataError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command starts again.")
