"""Early stopping that ends with the best epoch's weights, for models that hold a large matrix."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' early stopping; the model ends with the weights of its best epoch.

    Keras' own ``restore_best_weights`` copies every weight, a frozen matrix too. Only those
    that change are kept here.
    """

    _kept: list[np.ndarray]

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Keeps the weights of an epoch that is the best so far."""
        super().on_epoch_end(epoch, logs)
        if self.best_epoch == epoch:
            self._kept = [
                keras.ops.convert_to_numpy(weight) for weight in self.model.trainable_weights
            ]

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Puts the weights of the best epoch back."""
        super().on_train_end(logs)
        for weight, kept in zip(self.model.trainable_weights, self._kept, strict=True):
            weight.assign(kept)
