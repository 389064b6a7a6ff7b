"""The same bits on every x86-64 processor with AVX2, whatever its vendor or number of cores.

A floating-point sum depends on its order, which the libraries beneath PyTorch choose by the processor's
widest instructions and the number of threads. Importing moda calls `settle()`, which limits them to AVX2;
training and evaluation use one thread. A training step takes about 15 % longer.
MODA_ARITHMETIC=native leaves the choice to the processor. On Arm and GPUs, results are only reproducible on
the same machine; the record of each run says which arithmetic it used.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# ATen, oneDNN and MKL read these on first use, which importing torch is not.
_PORTABLE = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}


def settle() -> None:
    """Limit this process and its children to AVX2, unless the environment says otherwise."""
    chosen = os.environ.get("MODA_ARITHMETIC") == "native" or set(_PORTABLE) & set(os.environ)
    if not chosen and platform.machine() in ("x86_64", "AMD64") and torch.cpu._is_avx2_supported():
        os.environ.update(_PORTABLE)


def arithmetic() -> str:
    """ "portable", or "native" and PyTorch's instruction set, such as "native AVX512"."""
    instructions = torch.backends.cpu.get_cpu_capability()
    # PyTorch may have been used before moda was imported.
    portable = instructions == "AVX2" and all(os.environ.get(k) == v for k, v in _PORTABLE.items())
    return "portable" if portable else f"native {instructions}"


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, because several add in a different order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
