"""Run as `python -m tests.nn.sharding.processes PORT RANK`: one of two processes that share a mesh over loopback."""

import sys

import jax
import numpy as np
from jax.experimental.multihost_utils import process_allgather
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from tests.nn.linear_cross_entropy.truth import check, problem, truth
from tests.nn.sharding.meshes import CLASSES, EXAMPLES, HIDDEN, sharded


def main(port, rank):
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=rank)
    assert (jax.process_count(), jax.local_device_count(), jax.device_count()) == (2, 2, 4)
    h, B, y = problem(EXAMPLES, HIDDEN, CLASSES)
    c = np.ones(EXAMPLES, np.float32)
    want, bounds = truth(h, B, y, c)
    devices = np.array(jax.devices()).reshape(2, 2)
    # The classes are split within the processes, and then across them.
    for grid in (devices, devices.T):
        mesh = jax.sharding.Mesh(grid, ("data", "model"), axis_types=(AxisType.Auto,) * 2)

        def globally(x, *spec, mesh=mesh):
            return jax.make_array_from_callback(x.shape, NamedSharding(mesh, P(*spec)), lambda index: x[index])

        args = globally(h, "data"), globally(B, "model"), globally(y.astype(np.int32), "data"), globally(c, "data")
        loss, grads = jax.jit(jax.value_and_grad(sharded(mesh, "sum"), (0, 1)))(*args)
        dh, dB = (process_allgather(grad, tiled=True) for grad in grads)
        np.testing.assert_allclose(loss, want.loss.sum(), rtol=1e-5)
        check((want.loss, dh, dB), want, bounds, 2.0**-24)
    print(f"process {rank}: equal")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
