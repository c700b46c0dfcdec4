"""A layer, a kernel, a number system, a model format, a data set, an architecture: what becomes C."""

from __future__ import annotations

from tests.recipes.tree import Tree

LAYERS, PLAIN = "mcusim/layers/__init__.py", "mcusim/kernels/plain.py"
KERAS, GRAPHS = "mcusim/models/keras/layers.py", "tests/graphs.py"
IMPORT = "from mcusim.layers.negate import Negate\n"

CODE = """\
def _negate(layer: layers.Negate, inputs: Inputs) -> LayerCode:
    return one("negate", {"elements": layer.elements})


def _relu"""
CONVERTER = """\
def _negate(keras: KerasLayer) -> list[Layer]:
    return [Negate(name=keras.name, inputs=keras.inputs, shape=keras.shape)]


def _reshape"""
BOTTLENECK = """\
class BottleneckParameters(_Parameters):
    widest: Size = 64
    depth: Size = 3
    dropout: Dropout = 0.0


Parameters = TypeVar("""
MOVE = """\
    elif kind == "negate":
        builder.add("Negate")
    else:
        builder.add("Softmax","""


def test_a_layer(tree: Tree) -> None:
    tree.add("layer")
    tree.line(LAYERS, " MaxPooling, Maximum,", " MaxPooling, Negate, Maximum,")
    tree.edit(PLAIN, "def _relu", CODE)
    tree.edit(PLAIN, "    layers.ReLU: _relu,", "    layers.ReLU: _relu, layers.Negate: _negate,")
    tree.edit(KERAS, "def _reshape", CONVERTER)
    tree.edit(KERAS, '    "Reshape": _reshape,', '    "Reshape": _reshape, "Negate": _negate,')
    for path, first in ((LAYERS, "layers.reshape"), (KERAS, "layers import")):
        tree.imported(path, f"from mcusim.{first}", f"{IMPORT}from mcusim.{first}")
    tree.line(
        "tests/layers/test_layers.py", '    "ReLU":', '    "Negate": ((4, 3), lambda b: b.add("Negate")), "ReLU":'
    )
    tree.line(GRAPHS, 'kinds = ["relu",', 'kinds = ["negate", "relu",')
    tree.edit(GRAPHS, '    else:\n        builder.add("Softmax",', MOVE)
    tree.test("tests/layers", "-k", "plain-int8 or every_layer or negate")
    assert tree.touched() == (4, 1)


def test_an_approximation(tree: Tree) -> None:
    tree.add("approximation")
    members = "(dead_channels, channels, rows, operands)"
    tree.line("mcusim/approximate/__init__.py", members, "(dead_channels, channels, rows, biases, operands)")
    tree.imported("mcusim/approximate/__init__.py", "import channels, dead", "import biases, channels, dead")
    tree.edit("docs/approximation.md", "| `rows` |", "| `biases` | biases are left out |\n| `rows` |")
    tree.edit("docs/experiment.md", "| `rows` | 0 |", "| `biases` | 0 | of so many filters\n| `rows` | 0 |")
    tree.test(
        "tests/approximate/test_biases.py", "tests/approximate/test_docs.py", "tests/experiment", "-k", "docs or biases"
    )
    assert tree.touched() == (3, 1)


def test_a_kernel(tree: Tree) -> None:
    last = "from mcusim.kernels.kernel import Kernel\n"
    tree.add("kernel")
    tree.line(
        "mcusim/kernels/__init__.py", "KERNELS: tuple[Kernel, ...] = (", "KERNELS: tuple[Kernel, ...] = (countdown,"
    )
    tree.imported("mcusim/kernels/__init__.py", last, f"from mcusim.kernels import countdown\n{last}")
    tree.edit(
        "docs/kernels.md", "### `plain`\n", "### `countdown`\n\nFrom the last input to the first.\n\n### `plain`\n"
    )
    kernels = [f"tests/kernels/test_{name}.py" for name in ("countdown", "choice", "docs")]
    tree.test(
        *kernels,
        "tests/line/test_lower.py",
        "tests/line/test_emit.py",
        "tests/experiment/test_kernel_choice.py",
        "-k",
        "not warning",
    )
    assert tree.touched() == (3, 1)


def test_a_number_system(tree: Tree) -> None:
    tree.add("numbers")
    tree.line(
        "mcusim/numbers/__init__.py", "= (power_of_two, affine_scheme)", "= (power_of_two, affine_scheme, towards_zero)"
    )
    tree.imported(
        "mcusim/numbers/__init__.py",
        "import affine_scheme, power_of_two\n",
        "import affine_scheme, power_of_two, towards_zero\n",
    )
    tree.test("tests/numbers/test_towards_zero.py", "tests/line/test_quantize.py", "tests/experiment/test_read.py")
    assert tree.touched() == (2, 1)


def test_a_model_format(tree: Tree) -> None:
    tree.add("model_format")
    tree.line("mcusim/models/__init__.py", "= (keras, onnx, pytorch, tflite)", "= (keras, onnx, pytorch, tflite, toy)")
    tree.imported(
        "mcusim/models/__init__.py",
        "from mcusim.models.keras",
        "from mcusim.models import toy\nfrom mcusim.models.keras",
    )
    tree.test("tests/models/test_toy.py", "tests/line/test_library.py", "tests/experiment/test_read.py")
    assert tree.touched() == (2, 1)


def test_a_data_set(tree: Tree) -> None:
    tree.add("dataset")
    tree.line("mcusim/datasets/__init__.py", '"uci_har": uci_har,', '"uci_har": uci_har, "quadrants": quadrants,')
    tree.imported("mcusim/datasets/__init__.py", "import cifar10, digits", "import quadrants, cifar10, digits")
    tree.test("tests/datasets/test_quadrants.py", "tests/datasets/test_datasets.py")
    assert tree.touched() == (1, 1)


def test_an_architecture(tree: Tree) -> None:
    table = "mcusim/training/architectures/__init__.py"
    tree.add("architecture")
    tree.edit("mcusim/training/parameters.py", "Parameters = TypeVar(", BOTTLENECK)
    tree.line(table, '"mlp": Architecture(mlp),', '"mlp": Architecture(mlp), "bottleneck": Architecture(bottleneck),')
    last = "from mcusim.training.architectures.plain"
    tree.imported(table, last, f"from mcusim.training.architectures.bottleneck import bottleneck\n{last}")
    tree.edit("docs/experiment.md", "| `cnn` |", "| `bottleneck` | narrower | `widest`, `depth` |\n| `cnn` |")
    tree.test("tests/training/test_bottleneck.py", "tests/training/test_parameters.py")
    assert tree.touched() == (3, 1)


def test_a_search(tree: Tree) -> None:
    tree.add("search")
    searches, table = "mcusim/explore/searches/__init__.py", "mcusim/experiment/exploration.py"
    tree.imported(searches, "import evolution, greedy, grid", "import chance, evolution, greedy, grid")
    tree.line(searches, "(grid, greedy, evolution)", "(grid, greedy, evolution, chance)")
    tree.line(table, '"greedy", "evolution"] = "auto"', '"greedy", "evolution", "chance"] = "auto"')
    tree.test("tests/explore/test_searches.py", "-k", "chance or every_search")
    assert tree.touched() == (1, 2)
