"""The machine's own rate: 10^12 floating-point operations as a product of square matrices."""

import torch
from contender import arguments, serve

SIZE = 2048

if __name__ == "__main__":
    given = arguments()
    a, b = (torch.rand(SIZE, SIZE, device=given.device) for _ in range(2))

    def product() -> None:
        for _ in range(round(1e12 / (2 * SIZE**3))):
            a @ b
        if given.device == "cuda":
            torch.cuda.synchronize()

    serve(product)
