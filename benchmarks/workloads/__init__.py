"""What is measured in each mode. A workload is added by a line here."""

from collections.abc import Callable

from benchmarks.workload import Workload
from benchmarks.workloads.cross_entropy import cross_entropy_grad, cross_entropy_hvp, cross_entropy_loss
from benchmarks.workloads.drop_ins import drop_in, loss_and_gradient
from benchmarks.workloads.elementwise import sigmoid_grad
from benchmarks.workloads.large_class import linear_cross_entropy, linear_cross_entropy_with_options
from benchmarks.workloads.network import digits, per_example, whole_batch
from benchmarks.workloads.softmax import softmax_jacobian, softmax_jvp, softmax_vjp

LOGITS = [(1024, 1000), (8192, 100), (256, 32000), (65536, 10), (65536, 3), (32768, 32)]
LABELS = ("indices", "distribution")
LARGE = [(1024, 64, 8192), (1024, 512, 8192), (1024, 256, 32768), (512, 512, 131072), (4096, 128, 262144)]
HARD = ("peaked", "one above 64")


def full() -> list[Workload]:
    """The document's gradients, at the sizes that matter."""
    return [
        *(sigmoid_grad(n) for n in (10**4, 10**6, 10**8)),
        *(product(*sizes) for product in (softmax_vjp, softmax_jvp) for sizes in LOGITS),
        *(softmax_vjp(*LOGITS[0], inputs) for inputs in HARD),
        *(softmax_jacobian(K) for K in (10, 32, 100, 512, 1000, 4000)),
        *(softmax_jacobian(K, N) for N, K in ((4096, 10), (1024, 32), (256, 100), (8, 1000))),
        *(cross_entropy_grad(*sizes, labels) for labels in LABELS for sizes in LOGITS),
        *(cross_entropy_grad(*LOGITS[0], inputs=inputs) for inputs in HARD),
        *(cross_entropy_hvp(*sizes) for sizes in LOGITS),
        *(cross_entropy_loss(*sizes, labels) for labels in LABELS for sizes in LOGITS),
        *(loss_and_gradient(*sizes, labels) for labels in LABELS for sizes in LOGITS),
        *(
            drop_in(name, *sizes, gradient=g)
            for g in (False, True)
            for name in ("softmax", "log-softmax")
            for sizes in LOGITS
        ),
        *(drop_in("sigmoid", n, gradient=g) for g in (False, True) for n in (10**4, 10**6)),
        *(whole_batch(N, 784, 128, 10) for N in (1, 128, 1024)),
        whole_batch(1024, 512, 2048, 1000),
        digits(),
        *(per_example(N, 784, 128, 10) for N in (1, 128, 1024)),
        digits(each=True),
        *(linear_cross_entropy(*sizes) for sizes in LARGE),
        *(linear_cross_entropy_with_options(*sizes) for sizes in LARGE[:3]),
    ]


def quick() -> list[Workload]:
    """One of each family, small."""
    return [
        sigmoid_grad(10**6),
        softmax_vjp(1024, 1000),
        softmax_jvp(1024, 1000),
        softmax_jacobian(512),
        softmax_jacobian(10, 4096),
        cross_entropy_grad(1024, 1000),
        cross_entropy_grad(1024, 1000, "distribution"),
        cross_entropy_hvp(8192, 100),
        loss_and_gradient(65536, 10),
        drop_in("softmax", 32768, 32),
        whole_batch(128, 784, 128, 10),
        per_example(128, 784, 128, 10),
        linear_cross_entropy(512, 64, 8192),
    ]


def sweep() -> list[Workload]:
    """N, H and K, grown one at a time."""
    return [
        *(softmax_jacobian(K) for K in (16, 64, 256, 1024, 2048)),
        *(cross_entropy_grad(512, K) for K in (16, 128, 1024, 8192)),
        *(cross_entropy_grad(N, 1000) for N in (16, 128, 1024, 8192)),
        *(whole_batch(N, 256, 256, 100) for N in (16, 128, 1024, 8192)),
        *(whole_batch(512, 256, H, 100) for H in (32, 128, 512, 2048)),
        *(whole_batch(512, 256, 256, K) for K in (10, 100, 1000, 10000)),
        *(linear_cross_entropy(N, 128, 8192) for N in (64, 256, 1024, 4096)),
        *(linear_cross_entropy(512, H, 8192) for H in (32, 128, 512, 2048)),
        *(linear_cross_entropy(512, 128, K) for K in (512, 4096, 32768, 131072)),
    ]


SUITES: dict[str, Callable[[], list[Workload]]] = {"quick": quick, "full": full, "sweep": sweep}
