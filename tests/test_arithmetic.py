"""Where numbers come from the processor: in processes of their own, for a library looks at it once."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from moda.arithmetic import exact, one_thread, seeded, tiny_numbers_as_zero

slow = pytest.mark.slow
X86 = platform.machine() in ("x86_64", "AMD64") and torch.cpu._is_avx2_supported()
SETTINGS = ("MODA_ARITHMETIC", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")


def told(code: str, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    command = [
        sys.executable,
        "-c",
        f"{code}\nfrom moda.arithmetic import instructions; print(instructions())",
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@slow
@pytest.mark.skipif(not X86, reason="portable arithmetic is for x86-64 with AVX2")
def test_importing_moda_makes_it_portable_also_after_torch():
    assert told("import torch") == "portable"


@slow
def test_the_environment_may_choose_another():
    assert told("", MODA_ARITHMETIC="native").startswith("native ")
    assert told("", ATEN_CPU_CAPABILITY="default").startswith("native ")
    with pytest.raises(subprocess.CalledProcessError) as error:
        told("import moda", MODA_ARITHMETIC="quick")
    assert "MODA_ARITHMETIC is 'quick'; it may be «native» or «plain»" in error.value.stderr


@slow
@pytest.mark.skipif(not (X86 and torch.cpu._is_avx512_supported()), reason="needs a processor with AVX-512")
def test_what_was_computed_before_importing_moda_is_not_called_portable():
    """PyTorch has looked at the processor by then."""
    assert told("import torch; torch.rand(9).sum()") == "native AVX512"


def tiny_is_zero() -> bool:
    return not torch.tensor(torch.finfo(torch.float).tiny).div(2)


@pytest.mark.parametrize("before", [False, True])
def test_tiny_numbers_are_zero_for_a_while(before):
    if not torch.set_flush_denormal(before):
        pytest.skip("this processor has no such setting")
    try:
        with tiny_numbers_as_zero():
            assert tiny_is_zero()
        assert tiny_is_zero() == before
    finally:
        torch.set_flush_denormal(False)


def test_random_numbers_come_from_the_seed_and_leave_no_trace():
    torch.manual_seed(5)
    expected = torch.rand(3)
    before = torch.get_rng_state()
    with seeded(5, torch.device("cpu")):
        assert torch.equal(torch.rand(3), expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_work_on_a_cpu_asks_no_gpu_for_random_numbers(monkeypatch):
    """On a machine with a GPU that would begin to use it, in every process."""

    def fail(*_):
        raise AssertionError("it asked")

    for name in ("get_rng_state", "set_rng_state", "manual_seed", "manual_seed_all"):
        monkeypatch.setattr(torch.cuda, name, fail)
    with seeded(0, torch.device("cpu")):
        torch.rand(1)


@pytest.fixture
def precision():
    """The settings of CUDA, which a PyTorch without it has too, as they are to be after the test."""
    places = (torch.backends, torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    yield
    for place, value in zip(places, before):
        place.fp32_precision = value


@pytest.mark.parametrize("chosen", ["none", "tf32"])
def test_on_cuda_single_precision_is_kept_and_kernels_are_deterministic(precision, chosen):
    def settings():
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        return cudnn.conv.fp32_precision, matmul.fp32_precision, cudnn.deterministic, cudnn.benchmark

    torch.backends.fp32_precision = chosen
    torch.backends.cuda.matmul.fp32_precision = chosen
    before = settings()
    with exact(torch.device("cuda")):
        assert settings() == ("ieee", "ieee", True, False)
    assert settings() == before
    with exact(torch.device("cpu")):
        assert settings() == before


def test_one_thread_is_for_a_while():
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
