"""What all contenders share: each is a process that trains when it is told to, and says how long it took.

So all of them can be measured in alternation, in one sitting, without starting anything again. At each turn
they do what an epoch of the book does: train on images in batches, then measure the loss, with dropout off,
on two fifths as many.
"""

import argparse
import sys
import time

BATCH_SIZE = 100


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=["autoencoder", "classifier"], default="autoencoder")
    parser.add_argument(
        "--images", type=int, required=True, help="trained on at each turn; a multiple of 500"
    )
    parser.add_argument("--threads", type=int, default=0, help="0: the framework's own choice")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def measured(images: int) -> int:
    """On how many images the loss is measured after training on so many."""
    return images * 2 // 5


def serve(train) -> None:
    """Calls `train()`, which must return when all is computed, at every line of standard input."""
    train()  # compiles, allocates, fills caches
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        train()
        print(time.perf_counter() - start, flush=True)
