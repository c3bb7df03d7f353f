"""By hand against autodiff and peers: time and memory."""
