"""A toy: see CONTRIBUTING.md."""

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.quantization import Quantization
from mcusim.line.front import quantized_graph, reduced_graph
from mcusim.models.source import Source
from tests.approximate.networks import network
from tests.compiled import run_compiled


def test_biases_go() -> None:
    graph, x = network()
    wanted = Approximation(dead_channels=False, biases=0.5)
    chosen = Quantization(data_type="int8")
    made = quantized_graph(Source(graph), x, chosen, real=reduced_graph(Source(graph), x, chosen, wanted))
    assert {one.kind for one in made.skipped} == {"biases"} and "4 of 8 in 'conv2d_1'" in made.notes[0]
    assert (run_compiled(made, x[:4]) == made.run(x[:4])).all()
