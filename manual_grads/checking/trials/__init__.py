"""What is tried: points made from one example, every way to call a gradient, how it behaves, in a format."""
