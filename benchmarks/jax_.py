"""Contender (c): the same networks in JAX with Flax and Optax, the step compiled, the data resident."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from contender import BATCH_SIZE, arguments, measured, serve
from files import training_set


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, x, training):
        for channels in (16, 32):
            x = nn.Conv(channels, (3, 3), padding="VALID")(x)
            x = nn.Dropout(0.2)(nn.relu(x), deterministic=not training)
            x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Dense(64)(x.reshape(len(x), -1)))
        return nn.Dropout(0.2)(x, deterministic=not training)


class Autoencoder(nn.Module):
    @nn.compact
    def __call__(self, x, training):
        x = nn.relu(nn.Dense(800)(Encoder()(x, training)))
        x = nn.Dropout(0.2)(x, deterministic=not training).reshape(len(x), 5, 5, 32)
        # The padding at the end is PyTorch's output_padding: 13 x 13 and 28 x 28.
        x = nn.relu(nn.ConvTranspose(16, (4, 4), strides=(2, 2), padding=((3, 4), (3, 4)))(x))
        x = nn.Dropout(0.2)(x, deterministic=not training)
        x = nn.ConvTranspose(1, (3, 3), strides=(2, 2), padding=((2, 3), (2, 3)))(x)
        return nn.Dropout(0.2)(nn.sigmoid(x), deterministic=not training)


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, x, training):
        return nn.Dropout(0.2)(nn.relu(nn.Dense(10)(Encoder()(x, training))), deterministic=not training)


def main() -> None:
    given = arguments()
    images, labels = map(jnp.asarray, training_set(given.images))
    autoencodes = given.model == "autoencoder"
    model = Autoencoder() if autoencodes else Classifier()
    key = jax.random.key(0)
    parameters = model.init({"params": key, "dropout": key}, images[:1], training=True)
    optimizer = optax.adam(1e-3)
    state = [parameters, optimizer.init(parameters), key]

    def loss(parameters, x, y, key=None):
        """With dropout if there is a key."""
        rngs = None if key is None else {"dropout": key}
        output = model.apply(parameters, x, training=key is not None, rngs=rngs)
        if autoencodes:
            assert output.shape == x.shape
            return jnp.mean((output - x) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(output, y).mean()

    @jax.jit
    def step(parameters, optimizer_state, key, index):
        key, dropout = jax.random.split(key)
        gradient = jax.grad(loss)(parameters, images[index], labels[index], dropout)
        updates, optimizer_state = optimizer.update(gradient, optimizer_state)
        return optax.apply_updates(parameters, updates), optimizer_state, key

    held_out = jax.jit(loss)

    def epoch():
        state[2], shuffle = jax.random.split(state[2])
        order = jax.random.permutation(shuffle, len(images))
        for index in order.reshape(-1, BATCH_SIZE):
            state[:] = step(*state, index)
        losses = [
            held_out(state[0], images[i : i + BATCH_SIZE], labels[i : i + BATCH_SIZE])
            for i in range(0, measured(given.images), BATCH_SIZE)
        ]
        jax.block_until_ready((state[0], losses))

    serve(epoch)


if __name__ == "__main__":
    main()
