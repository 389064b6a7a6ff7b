"""How fast the page "Laboratorio" answers, in Chromium without a window: `python benchmarks/laboratory.py`.

Of the built book, opened from disk; each value is the median of 100 after 20 that are not counted.
"""

import statistics
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests" / "web"))

from test_browser import LOOKS, chrome, look  # noqa: E402

PAGE = PROJECT / "book" / "_build" / "html" / "notebooks" / "laboratorio.html"

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


if __name__ == "__main__":
    main()
