"""Where numbers come from the processor: in processes of their own, for a library looks at it once."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from moda.arithmetic import one_thread

pytestmark = pytest.mark.slow
X86 = platform.machine() in ("x86_64", "AMD64") and torch.cpu._is_avx2_supported()
SETTINGS = ("MODA_ARITHMETIC", "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")


def told(code: str, **settings: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS} | settings
    command = [sys.executable, "-c", f"{code}\nfrom moda.arithmetic import arithmetic; print(arithmetic())"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.skipif(not X86, reason="portable arithmetic is for x86-64 with AVX2")
def test_importing_moda_makes_it_portable_also_after_torch():
    assert told("import torch") == "portable"


def test_the_environment_may_choose_another():
    assert told("", MODA_ARITHMETIC="native").startswith("native ")
    assert told("", ATEN_CPU_CAPABILITY="default").startswith("native ")


@pytest.mark.skipif(not (X86 and torch.cpu._is_avx512_supported()), reason="needs a processor with AVX-512")
def test_what_was_computed_before_importing_moda_is_not_called_portable():
    """PyTorch has looked at the processor by then."""
    assert told("import torch; torch.rand(9).sum()") == "native AVX512"


def test_one_thread_is_for_a_while():
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
