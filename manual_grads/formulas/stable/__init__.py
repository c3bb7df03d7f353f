"""How the formulas keep their digits: exponentials, sums and forms in which nothing cancels, overflows or underflows.

Everything here takes arguments that are checked already, in the dtype of computation.
"""
