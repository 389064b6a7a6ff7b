"""Training speed, side by side in one sitting and in alternation (`make bench`, `make bench QUICK=1`).

Every contender is a process of its own (see contender.py) that waits while another one trains. Each
round trains on the same number of images; ratios are taken within a round. The last line is a summary.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import joblib
import torch
from plain import Plain
from project import learner
from torch.utils.flop_counter import FlopCounterMode

from moda import data
from moda.arithmetic import exact
from moda.evaluation import autoencoder_metrics
from moda.networks import Autoencoder, Classifier

HERE = Path(__file__).resolve().parent
OTHERS = HERE / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
CORES = joblib.cpu_count()


@dataclass
class Contender:
    name: str
    script: str
    python: Path = Path(sys.executable)
    processes: int = 1
    threads: int = 0  # of each process; 0: the framework's own choice

    def start(self, model: str, images: int, device: str) -> "Contender":
        command = [self.python, HERE / self.script, "--model", model, "--images", str(images)]
        command += ["--threads", str(self.threads), "--device", device]
        environment = os.environ | {"FASHION_MNIST_DIR": str(data.locate(None))}
        self.running = [
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for _ in range(self.processes)
        ]
        self.alive = all(process.stdout.readline() == "ready\n" for process in self.running)
        return self

    def turn(self) -> float:
        """Seconds until the last of its processes is done."""
        for process in self.running:
            process.stdin.write("\n")
            process.stdin.flush()
        return max(float(process.stdout.readline()) for process in self.running)

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


def contenders(device: str, quick: bool) -> list[Contender]:
    chosen = [Contender("(a) plain PyTorch", "plain.py")]
    if not quick and device == "cpu":
        chosen += [
            Contender("(b) Keras on TensorFlow", "keras_.py", OTHERS),
            Contender("(c) JAX with Flax", "jax_.py", OTHERS),
            Contender("(f) torch.compile", "compiled.py"),
        ]
    chosen.append(Contender("(d) this project, one run", "project.py"))
    if device == "cpu":
        name = f"(e) this project, {CORES} runs at once"
        chosen.append(Contender(name, "project.py", processes=CORES, threads=1))
    return [*chosen, Contender("matrix product", "matrix.py")]


def prepare_others() -> None:
    if not OTHERS.exists():
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
    install = [OTHERS, "-m", "pip", "install", "--quiet", "--requirement", HERE / "others.txt"]
    if subprocess.run(install).returncode:
        print("The environment of Keras and JAX could not be made: they are left out.")


def operations(model: str) -> float:
    """Floating-point operations of a training step, forward and backward, for one image."""
    network = Autoencoder() if model == "autoencoder" else Classifier(Autoencoder().encoder)
    with FlopCounterMode(display=False) as counter:
        network(torch.rand(64, 1, 28, 28)).sum().backward()
    return counter.get_total_flops() / 64


def measure(model: str, device: str, quick: bool) -> dict[str, list[float]]:
    """Images per second of every contender, one value a round; of the matrix product, what it allows."""
    images = 6000 if quick else 12_000
    running = []
    for contender in contenders(device, quick):
        if contender.start(model, images, device).alive:
            running.append(contender)
        else:
            print(f"{contender.name}: left out, it does not run here.")
    rates = {contender.name: [] for contender in running}
    for _ in range(5 if quick else 9):
        for contender in running:
            seconds = contender.turn()
            if contender.script == "matrix.py":
                rates[contender.name].append(1e12 / seconds / operations(model))  # see matrix.py
            else:
                rates[contender.name].append(images * contender.processes / seconds)
    for contender in running:
        contender.stop()
    return rates


def table(model: str, rates: dict[str, list[float]]) -> str:
    limit = statistics.median(rates["matrix product"])
    lines = [
        f"| {model} | images per second | times (a) | of the arithmetic limit |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, own in rates.items():
        if name != "matrix product":
            share = f"{100 * statistics.median(own) / limit:.0f} %"
            lines.append(f"| {name} | {spread(own, 0)} | {spread(ratios(rates, name), 2)} | {share} |")
    return "\n".join(lines)


def ratios(rates: dict[str, list[float]], name: str) -> list[float]:
    """How many times as quick as (a) a contender was, round by round."""
    return [one / other for one, other in zip(rates[name], rates["(a) plain PyTorch"])]


def spread(values: list[float], digits: int) -> str:
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def learning(device: str, quick: bool) -> str:
    """Validation ECM of (a) and of this project after some epochs, over seeds."""
    images, epochs = (6000, 3) if quick else (data.TRAIN_SIZE, 2)
    dataset = data.load()
    train, validation = dataset.train[:images].to(device), dataset.validation.to(device)
    reached = {"(a)": [], "this project": []}
    for seed in range(3):
        torch.manual_seed(seed)
        plain = Plain("autoencoder", images, device)
        ours = learner("autoencoder", device)
        for _ in range(epochs):
            plain.epoch()
            with exact(torch.device(device)):
                ours.epoch(train)
        reached["(a)"].append(autoencoder_metrics(plain.model, validation)["loss"])
        reached["this project"].append(autoencoder_metrics(ours.model, validation)["loss"])
    means = [statistics.mean(values) for values in reached.values()]
    deviations = [statistics.stdev(values) for values in reached.values()]
    verdict = "within" if abs(means[0] - means[1]) <= max(deviations) else "BEYOND"
    told = "; ".join(
        f"{name} {mean:.4f} ({deviation:.4f})" for name, mean, deviation in zip(reached, means, deviations)
    )
    return (
        f"Validation ECM after {epochs} epochs of {images} images, mean and standard deviation of three "
        f"seeds: {told}. The difference is {verdict} the spread over seeds."
    )


def worker() -> str:
    """What a worker process costs beyond importing torch (read from Linux's /proc)."""
    code = (
        "import re, time, torch; torch.set_num_threads(1)\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "before, start = peak(), time.perf_counter()\n"
        "from moda import data\n"
        "from moda.runs import schedule\n"
        "from moda.training import train_autoencoder\n"
        "dataset = data.load()\n"
        "print(time.perf_counter() - start)\n"
        "from moda.configurations import AutoencoderRun\n"
        "run = AutoencoderRun(epochs=1, train_size=10_000)\n"
        "train_autoencoder(run, dataset, torch.device('cpu'))\n"
        "print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds, memory = map(float, done.stdout.split())
    return (
        f"Beyond importing torch: importing `moda` and loading the data {seconds:.1f} s, "
        f"a training process {memory:.0f} MB at its peak."
    )


def machine(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        names = [line.partition(":")[2] for line in cpus.read_text().splitlines() if "model name" in line]
        name = names[0].strip() if names else name
    return f"{name}, {CORES} cores, {torch.backends.cpu.get_cpu_capability()}"


def with_table(readme: str, device: str, text: str) -> str:
    """The README with this text between the marks of that device."""
    mark = f"<!-- benchmark {device} -->"
    before, _, after = readme.split(mark)
    return f"{before}{mark}\n{text}\n{mark}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without Keras, JAX and the classifier")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    given = parser.parse_args()
    if not given.quick and given.device == "cpu":
        prepare_others()
    measured = {
        model: measure(model, given.device, given.quick)
        for model in (["autoencoder"] if given.quick else ["autoencoder", "classifier"])
    }
    parts = [f"{machine(given.device)}; torch {torch.__version__}."]
    parts += [table(model, rates) for model, rates in measured.items()]
    parts.append(learning(given.device, given.quick))
    if given.device == "cpu" and Path("/proc/self/status").exists():
        parts.append(worker())
    text = "\n\n".join(parts)
    print(text)
    if not given.quick:
        readme = HERE.parent / "README.md"
        whole = with_table(readme.read_text(encoding="utf-8"), given.device, text)
        readme.write_text(whole, encoding="utf-8")
    said = [
        f"{what}: {statistics.median(ratios(measured['autoencoder'], name)):.1f} times"
        for what, start in (("several runs", "(e)"), ("one run", "(d)"))
        for name in measured["autoencoder"]
        if name.startswith(start)
    ]
    print("; ".join(said).replace("times", "times plain PyTorch", 1))


if __name__ == "__main__":
    main()
