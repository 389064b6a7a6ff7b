"""What all contenders share: each is a process that trains when it is told to, and says how long it took.

So all of them can be measured in alternation, in one sitting, without starting anything again.
"""

import argparse
import sys
import time


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["autoencoder", "classifier"], default="autoencoder")
    parser.add_argument("--images", type=int, required=True, help="trained on at each turn")
    parser.add_argument("--threads", type=int, default=0, help="0: the framework's own choice")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def serve(train) -> None:
    """Calls `train()`, which must return when all is computed, at every line of standard input."""
    train()  # compiles, allocates, fills caches
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        train()
        print(time.perf_counter() - start, flush=True)
