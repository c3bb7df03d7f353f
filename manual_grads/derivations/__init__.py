"""Every line of the document as an expression that runs: `CHAINS`, in its order, and then what goes beyond it."""

from manual_grads.derivations import large_class, task18, task19_1, task19_2, task19_3, task21

CHAINS = (*task18.CHAINS, *task19_1.CHAINS, *task19_2.CHAINS, *task19_3.CHAINS, *task21.CHAINS, *large_class.CHAINS)
