"""A model that is fed one step of a series at a time + how many steps make a sample -> the model of whole samples.

SVDF keeps a state from call to call. Samples know nothing of each other here, so one is a series: its steps take the
place of the batch, every operation works on all of them, and SVDF looks back along them. The answer is the last step's.
"""

from dataclasses import replace

from mcusim.graph import Shape
from mcusim.models.source import Shapes
from mcusim.models.tflite.description import Model
from mcusim.system.errors import ModelError

STREAMING = "SVDF"
MOST_STEPS = 2**14


def is_streaming(model: Model) -> bool:
    return any(operation.kind == STREAMING for operation in model.operations)


def steps_of(model: Model, shapes: Shapes) -> int:
    """From the shape that users tell: (steps, ..), or a multiple of the elements of the file's input."""
    given: Shape = next(iter(shapes.values()), ())
    tensor = model.tensors[model.inputs[0]] if len(model.inputs) == 1 else None
    if tensor is None:
        raise ModelError(f"the model keeps a state ({STREAMING}) and has several inputs", hint="use one with one input")
    told = tensor.shape[1:]
    if len(given) != len(told) + 1 or given[1:] != told or not 2 <= given[0] <= MOST_STEPS:
        example = [16, *told]
        what = f"the model is fed {tensor.shape} at a time and keeps a state ({STREAMING}) in between"
        raise ModelError(what, hint=f"tell how many of these are a sample: input_shape = {example} in [[model]]")
    return int(given[0])


def unrolled(model: Model, steps: int) -> Model:
    """The first axis, a batch of 1, becomes the steps of a sample in all that is computed."""
    computed = {*model.inputs, *(index for operation in model.operations for index in operation.outputs)}
    tensors = []
    for tensor in model.tensors:
        if tensor.index in computed:
            if tensor.shape[:1] != (1,):
                what = f"a tensor of the model has shape {tensor.shape}, where a state is kept from step to step"
                raise ModelError(what, hint="use a model with a batch of 1")
            tensor = replace(tensor, shape=(steps, *tensor.shape[1:]), signature=(steps, *tensor.shape[1:]))
        tensors.append(tensor)
    return replace(model, tensors=tuple(tensors))
