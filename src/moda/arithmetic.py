"""What the digits of a result depend on besides the run: instructions, threads, tiny numbers, random numbers.

A floating-point sum depends on its order, which the libraries beneath PyTorch choose by the processor's
widest instructions and the number of threads. Importing moda limits them to AVX2; training and evaluation
use one thread. So every x86-64 processor with AVX2 gives the same bits, whatever its vendor or number of
cores. A training step takes about 15 % longer.
MODA_ARITHMETIC=native leaves the choice to the processor; with MODA_ARITHMETIC=plain PyTorch's own layers
are trained (see moda.training.fast_layers). On Arm, results are only reproducible on the same machine; of a
GPU the same is asked, and has not been tried. The record of each run says which arithmetic it used.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from moda.errors import ModaError

# ATen, oneDNN and MKL read these on first use, which importing torch is not.
_PORTABLE = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}


def use_portable_instructions() -> None:
    """Limit this process and its children to AVX2, unless the environment says otherwise."""
    wanted = os.environ.get("MODA_ARITHMETIC", "")
    if wanted not in ("", "native", "plain"):
        raise ModaError(f"MODA_ARITHMETIC is {wanted!r}; it may be «native» or «plain», or not be set.")
    chosen = wanted == "native" or set(_PORTABLE) & set(os.environ)
    # It is PyTorch's own, and where it is missing the processor chooses.
    has_avx2 = getattr(torch.cpu, "_is_avx2_supported", lambda: False)
    if not chosen and platform.machine() in ("x86_64", "AMD64") and has_avx2():
        os.environ.update(_PORTABLE)


def instructions() -> str:
    """ "portable", or "native" and PyTorch's instruction set, such as "native AVX512"."""
    capability = torch.backends.cpu.get_cpu_capability()
    # PyTorch may have been used before moda was imported.
    portable = capability == "AVX2" and all(os.environ.get(k) == v for k, v in _PORTABLE.items())
    return "portable" if portable else f"native {capability}"


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, because several add in a different order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def tiny_numbers_as_zero() -> Iterator[None]:
    """Take denormal numbers as 0 on this thread; processors compute with them many times as slowly."""
    smallest = torch.tensor(torch.finfo(torch.float).tiny)
    before = (smallest / 2).item() == 0  # PyTorch does not tell its setting
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Draw the CPU's and the device's random numbers inside from `seed`, leaving those outside unaffected."""
    gpu = None if device.type == "cpu" else torch.get_device_module(device)
    devices, kind = ([device.index or 0], device.type) if gpu else ([], "cuda")
    with torch.random.fork_rng(devices, device_type=kind):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach for every GPU
        if gpu:
            gpu.manual_seed(seed)
        yield


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """On CUDA, multiply in full single precision (no TF32) and with deterministic kernels."""
    if device.type != "cuda":
        yield
        return
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    settings: list[tuple[Any, str, Any]] = [
        (cudnn.conv, "fp32_precision", "ieee"),  # type: ignore[attr-defined]
        (matmul, "fp32_precision", "ieee"),
        (cudnn, "deterministic", True),
        (cudnn, "benchmark", False),
    ]
    before = [getattr(place, name) for place, name, _ in settings]
    try:
        for place, name, value in settings:
            setattr(place, name, value)
        yield
    finally:
        for (place, name, _), value in zip(settings, before):
            setattr(place, name, value)
