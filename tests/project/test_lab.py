"""`make lab`: the notebooks in JupyterLab."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_client import BlockingKernelClient

from moda.data import PROJECT

pytestmark = pytest.mark.slow
NOTEBOOK = "notebooks/01-conjunto-de-datos.ipynb"


@contextmanager
def lab(folder: Path) -> Iterator[dict]:
    """What JupyterLab says of itself; it is started as a reader does, but opens no window."""
    settings = {"open_browser": False, "allow_root": True}  # a container's user is root
    (folder / "jupyter_server_config.json").write_text(json.dumps({"ServerApp": settings}))
    folders = {"JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            ["make", "lab"],
            cwd=PROJECT,
            env=os.environ | folders,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        # It is the last line that Lab prints of its start.
        while "Or copy and paste" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.2)
        (said,) = folder.glob("jpserver-*.json")
        server = json.loads(said.read_text())
        yield server
        ask(server, "api/shutdown", {})
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def ask(server: dict, address: str, content: dict | None = None) -> bytes:
    """The answer to a GET, or to a POST of that content."""
    request = urllib.request.Request(server["url"] + address)
    request.add_header("Authorization", f"token {server['token']}")
    if content is not None:
        request.data = json.dumps(content).encode()
    # Whatever proxy the machine has, it is not for this address.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
        return answer.read()


def test_a_notebook_is_opened_and_its_cells_are_executed(tmp_path):
    os.utime(PROJECT / NOTEBOOK)  # later than its text, as one that was executed
    with lab(tmp_path) as server:
        assert b"<title>JupyterLab</title>" in ask(server, f"lab/tree/{NOTEBOOK}")
        notebook = json.loads(ask(server, f"api/contents/{NOTEBOOK}"))["content"]
        session = {"path": NOTEBOOK, "name": "", "type": "notebook"}
        session["kernel"] = notebook["metadata"]["kernelspec"]
        kernel = json.loads(ask(server, "api/sessions", session))["kernel"]["id"]
        client = BlockingKernelClient(connection_file=str(tmp_path / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(120)
        for cell in [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][:2]:
            reply = client.execute_interactive("".join(cell["source"]), timeout=300)
            assert reply["content"]["status"] == "ok", reply
        client.stop_channels()
