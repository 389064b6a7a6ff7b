"""How fast the page "Laboratorio" answers, in Chromium without a window: `python benchmarks/laboratory.py`.

Of the built book, opened from disk; each value is the median of 100 after 20 that are not counted. Then how
fast chapter 2 trains its autoencoder, in Chromium and, if there is one, in Node.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests" / "web"))

from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402
from test_browser import LOOKS, chrome, look  # noqa: E402

SITE = PROJECT / "book" / "_build" / "html"
PAGE = SITE / "notebooks" / "laboratorio.html"
CHAPTER = SITE / "notebooks" / "02-autoencoder.html"

# Milliseconds of each of 120 calls.
PASSES = """
    const [id, done] = arguments;
    Models.load(id).then((model) => {
        const pixels = Garments.pixels(0);
        const times = [];
        for (let i = 0; i < 120; i++) {
            const start = performance.now();
            Models.decode(model, Models.encode(model, pixels));
            Models.classify(model, pixels);
            times.push(performance.now() - start);
        }
        done(times);
    });
"""

# How long the frame after the event of a slider takes to compute and draw all that follows from it.
SLIDES = """
    const [done] = arguments;
    document.querySelector('[data-part="codigo"]').scrollIntoView({behavior: "instant"});
    let slider;
    const times = [];
    const once = (i) => {
        if (i === 120) return done(times);
        requestAnimationFrame(() => {
            slider.value = (i % 10) / 2;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
            requestAnimationFrame((start) => {
                times.push(performance.now() - start);
                once(i + 1);
            });
        });
    };
    setTimeout(() => {
        slider = document.querySelector('[data-part="codigo"] input[type=range]');
        once(0);
    }, 1000);
"""

# From the first paint of the page until its first answer.
FIRST_ANSWER = """
    const [done] = arguments;
    const look = () => {
        const answer = performance.getEntriesByName("laboratorio")[0];
        const shown = performance.getEntriesByName("first-contentful-paint")[0];
        answer && shown ? done([shown.startTime, answer.startTime]) : setTimeout(look, 20);
    };
    look();
"""

# Milliseconds an image in each of ten batches of 100.
TRAINING = """
    const values = Float32Array.from(Network.bytes(trainingData), (byte) => byte / 255);
    const examples = Array.from({length: 1000}, (_, i) => {
        const pixels = values.subarray(784 * i, 784 * (i + 1));
        return [Network.tensor([1, 28, 28], pixels), Training.squaredError(pixels)];
    });
    const random = Random.seeded(0);
    const network = Training.fresh(networkData[0].layers.autoencoder, random);
    const next = Training.course(network, examples, {size: 100, rate: 1e-3, random});
    return Array.from({length: 10}, () => {
        const start = performance.now();
        next();
        return (performance.now() - start) / 100;
    });
"""
SCRIPTS = ["network", "random", "training", "data/networks", "data/training"]


def in_node() -> list[float]:
    scripts = [(SITE / "_static" / "live" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    measure = f"console.log(JSON.stringify((() => {{{TRAINING}}})()))"
    done = subprocess.run(
        ["node", "-"], input="\n".join([*scripts, measure]), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def main() -> None:
    if not PAGE.exists():
        sys.exit(f"{PAGE} is missing: make book builds it.")
    with tempfile.TemporaryDirectory() as folder, chrome(Path(folder)) as browser:
        look(browser, *LOOKS[0])
        answers = []
        for _ in range(5):
            browser.get("about:blank")
            browser.get(PAGE.as_uri())
            shown, answer = browser.execute_async_script(FIRST_ANSWER)
            answers.append((answer - shown, answer))
        after, whole = statistics.median(answers)
        print(f"first answer: {after:.0f} ms after the page is shown, {whole:.0f} ms after it is asked for")
        for network in browser.execute_script("return networkData.map(({id}) => id)"):
            times = browser.execute_async_script(PASSES, network)[20:]
            print(f"{network}: encode, decode and classify in {statistics.median(times):.1f} ms")
        browser.execute_async_script("lab.choose(networkData[0].id).then(arguments[0])")
        times = browser.execute_async_script(SLIDES)[20:]
        print(f"slider to picture: in the next frame, in {statistics.median(times):.1f} ms")
        browser.get(CHAPTER.as_uri())
        browser.execute_script("document.querySelector('[data-part=entrenar]').scrollIntoView()")
        WebDriverWait(browser, 60).until(
            lambda _: browser.execute_script("return typeof Training == 'object'")
        )
        browser.execute_async_script("live.script('data/training.js').then(arguments[0])")
        times = browser.execute_script(TRAINING)
        print(f"training in Chromium: {statistics.median(times):.1f} ms an image")
        if shutil.which("node"):
            print(f"training in Node: {statistics.median(in_node()):.1f} ms an image")


if __name__ == "__main__":
    main()
