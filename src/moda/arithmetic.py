"""The same bits on every x86-64 processor with AVX2, whatever its maker and however many cores it has.

A sum of floats depends on its order, and the libraries below PyTorch choose the order by the widest
instructions of the processor and by the number of threads. `settle()`, which importing moda does, keeps
them to AVX2; training and measuring use one thread. It makes a training step about 15 % longer.
MODA_ARITHMETIC=native leaves the choice to the processor. On Arm and on GPUs nothing is promised beyond the
same machine; the record of each run says which of these it was.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# What ATen, oneDNN and MKL read when they are first called; importing torch does not call them.
_PORTABLE = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}


def settle() -> None:
    """Keeps this process and its children to AVX2, unless the environment says otherwise."""
    chosen = os.environ.get("MODA_ARITHMETIC") == "native" or set(_PORTABLE) & set(os.environ)
    if not chosen and platform.machine() in ("x86_64", "AMD64") and torch.cpu._is_avx2_supported():
        os.environ.update(_PORTABLE)


def arithmetic() -> str:
    """ "portable", or "native" with the instructions that PyTorch uses, such as "native AVX512"."""
    instructions = torch.backends.cpu.get_cpu_capability()
    # PyTorch may have been called before moda was imported.
    portable = instructions == "AVX2" and all(os.environ.get(k) == v for k, v in _PORTABLE.items())
    return "portable" if portable else f"native {instructions}"


@contextmanager
def one_thread() -> Iterator[None]:
    """Computes on one thread, for several add in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
