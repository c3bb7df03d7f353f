"""The document's functions and their derivatives, written by hand in `jax.numpy`: no autodiff in this folder."""
