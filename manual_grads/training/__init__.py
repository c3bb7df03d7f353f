"""Training on real data, and with many classes: `python -m manual_grads train`."""
