"""Program -> Model: a node of PyTorch becomes the nodes of ONNX that say the same."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from mcusim.models.onnx.model import Declared, Model, Node
from mcusim.models.problems import EMBEDDING, Problems
from mcusim.models.pytorch import functions, moving, recurrent, resizing, windows
from mcusim.models.pytorch.call import FIXED, Call, Constants
from mcusim.models.pytorch.file import DTYPES, Program, broken, whole
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened

OPSET = 20  # whose meaning the nodes have
MOST_NODES = 20_000
GROUPS: Mapping[str, Mapping[str, Callable[[Call], None]]] = {
    "function": functions.TRANSLATORS,
    "moving": moving.TRANSLATORS,
    "sequence": recurrent.TRANSLATORS,
    "sum or window": {**windows.TRANSLATORS, **resizing.TRANSLATORS},
}
TRANSLATORS = {name: translate for group in GROUPS.values() for name, translate in group.items()}
# Whole numbers that a program computes with lengths it leaves open.
ON_WHOLES: Mapping[str, Callable[..., int]] = {
    "_operator.add": lambda a, b: a + b,
    "_operator.floordiv": lambda a, b: a // b if b else 0,
    "_operator.mul": lambda a, b: a * b,
    "_operator.sub": lambda a, b: a - b,
}
ON_LENGTHS = (*ON_WHOLES, "aten.sym_size", "aten._assert_scalar")


def model_of(program: Program) -> Model:
    """Raises ModelError for all nodes that say nothing in ONNX."""
    module = program.graph["graph_module"]
    graph, specs = module["graph"], module["signature"]
    shapes = _Shapes(graph["tensor_values"])
    problems = Problems({"aten.embedding": EMBEDDING}.get)
    arrays, inputs = _inputs(program, specs["input_specs"], shapes, problems)
    constants = Constants(arrays)
    symbols: dict[str, int] = {}
    nodes: list[Node] = []
    if len(graph["nodes"]) > MOST_NODES:
        raise ModelError(f"the model has more than {MOST_NODES} nodes", hint="use a smaller model")
    for index, told in enumerate(graph["nodes"]):
        kind, outputs = _kind(told["target"]), tuple(_outputs(told["outputs"]))
        arguments = {one["name"]: one["arg"] for one in told["inputs"]}
        name = _name(told, kind)
        call = Call(name, kind, arguments, outputs, shapes.known, symbols, constants, [])
        if kind in ON_LENGTHS:
            symbols |= _wholes(call, told)
        elif kind not in TRANSLATORS:
            problems.no_kernel(name, kind, index)
        else:
            problems.caught(name, kind, lambda call=call: TRANSLATORS[call.kind](call))  # type: ignore[misc]
            nodes += call.nodes
    problems.demand_none()
    return Model(tuple(nodes), inputs, tuple(_ends(specs["output_specs"])), constants.arrays, {"": OPSET})


class _Shapes:
    """Shapes of tensors, with the batch: a length that is left open there stands for one sample."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.known = {
            name: tuple(1 if size is None else size for size in _sizes(meta)) for name, meta in values.items()
        }

    def declared(self, name: str) -> Declared:
        """An input. Only its batch may be left open."""
        meta = self._values[name]
        sizes = _sizes(meta)
        if None in sizes[1:]:
            raise ModelError(f"the model's input {name!r} leaves the lengths of axes open: {sizes}", hint=FIXED)
        kind = DTYPES.get(meta["dtype"], "")
        return Declared(name, sizes, {"<f2": "float16", "<f8": "float64"}.get(kind, "float32"))


def _sizes(meta: Mapping[str, Any]) -> tuple[int | None, ...]:
    return tuple(whole(one) if "as_int" in one else None for one in meta["sizes"])


def _inputs(
    program: Program, specs: list[Any], shapes: _Shapes, problems: Problems
) -> tuple[dict[str, Any], tuple[Declared, ...]]:
    """Arrays by the names that the graph has for them, and what the user gives, as far as it can be read."""
    arrays, inputs = {}, []
    for spec in specs:
        ((kind, told),) = spec.items()
        if kind == "user_input":
            inputs.append(problems.caught("input", kind, partial(_given, told["arg"], shapes)))
            continue
        label = next(
            (told[key] for key in ("parameter_name", "buffer_name", "tensor_constant_name") if key in told), None
        )
        if label is None:
            raise ModelError(f"the model has a {printable(kind)[:40]!r} among its inputs", hint="export model.eval()")
        if label in program.arrays:
            arrays[told["arg"]["name"]] = program.arrays[label]
    return arrays, tuple(one for one in inputs if one)


def _given(argument: Mapping[str, Any], shapes: _Shapes) -> Declared:
    if "as_tensor" not in argument:
        raise ModelError("the model takes something that is no tensor", hint="export it with tensors alone")
    return shapes.declared(_text(argument["as_tensor"]["name"]))


def _ends(specs: list[Any]) -> Iterator[Declared]:
    for spec in specs:
        ((kind, told),) = spec.items()
        if kind != "user_output" or "as_tensor" not in told["arg"]:
            hint = "export it in eval mode, with tensors as outputs alone: torch.export.export(model.eval(), ..)"
            raise ModelError(f"the model ends in a {printable(kind)[:40]!r} that is no output", hint=hint)
        yield Declared(_text(told["arg"]["as_tensor"]["name"]), None)


def _text(told: Any) -> str:
    """A name. Raises ModelError for what is none."""
    if not isinstance(told, str):
        raise broken(f"a tensor is called {told!r:.40}")
    return told


def _outputs(told: list[Any]) -> Iterator[str]:
    """Of a tensor, of a list of them, and of a whole number."""
    for one in told:
        ((_, value),) = one.items()
        for part in value if isinstance(value, list) else [value]:
            part = part.get("as_tensor", part) if isinstance(part, Mapping) else {}
            yield str(part.get("name") or part.get("as_name") or "")


def _wholes(call: Call, told: Mapping[str, Any]) -> dict[str, int]:
    """Named whole numbers that a node makes."""
    if call.kind == "aten._assert_scalar":
        return {}
    if call.kind == "aten.sym_size":
        return {call.outputs[0]: call.shape[call.whole("dim")]}
    values = [call.value(one["arg"]) for one in told["inputs"]]
    if len(values) != 2 or any(type(value) is not int for value in values):
        raise broken(f"{call.kind} is called on {values!r:.40}")
    return {call.outputs[0]: ON_WHOLES[call.kind](*values)}


def _kind(target: str) -> str:
    """`torch.ops.aten.conv2d.default` -> `aten.conv2d`, and that without the `_` of what works in place."""
    parts = str(target).removeprefix("torch.ops.").split(".")
    kind = ".".join(parts[:2])
    return kind.removesuffix("_") if parts[0] == "aten" and not kind.endswith("__") else kind


def _name(told: Mapping[str, Any], kind: str) -> str:
    """The module in which it is called, where there is one: `features.0`; else what PyTorch calls its result."""
    stack = str((told.get("metadata") or {}).get("nn_module_stack") or "")
    path = stack.rsplit(";", maxsplit=1)[-1].split(",")[1] if stack.count(",") else ""
    own = str(told.get("name") or next(_outputs(told["outputs"]), "") or kind)
    return shortened(printable(path or own), 200)
