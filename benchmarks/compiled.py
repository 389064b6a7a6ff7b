"""Contender (f): the paper's modules under torch.compile, in channels_last, on resident images."""

import torch
from contender import BATCH_SIZE, arguments, measured, serve
from torch import nn

from moda import data
from moda.networks import Autoencoder, Classifier


def main() -> None:
    given = arguments()
    train = data.load().train[: given.images].to(given.device)
    autoencodes = given.model == "autoencoder"
    model = Autoencoder() if autoencodes else Classifier(Autoencoder().encoder)
    model.to(given.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
    function = nn.MSELoss() if autoencodes else nn.CrossEntropyLoss()

    @torch.compile
    def loss_of(x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return function(model(x), x if autoencodes else labels)

    def batches(order: torch.Tensor):
        for index in order.split(BATCH_SIZE):
            batch = train[index]
            yield batch.pixels.contiguous(memory_format=torch.channels_last), batch.labels

    def turn() -> None:
        model.train()
        for x, labels in batches(torch.randperm(len(train))):
            optimizer.zero_grad()
            loss_of(x, labels).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            losses = [loss_of(*batch) for batch in batches(torch.arange(measured(len(train))))]
        torch.stack(losses).mean().item()

    serve(turn)


if __name__ == "__main__":
    main()
