"""From minibatches to a trained network, and from a trained network to predictions."""
