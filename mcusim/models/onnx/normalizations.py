"""Batch, layer, instance and group normalization -> layers of a Graph."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from mcusim.layers.layer_normalization import LayerNormalization
from mcusim.models.onnx.node import EXPORT, OnnxNode
from mcusim.models.onnx.operands import rescaled, rows, with_last
from mcusim.models.onnx.reshaping import as_shape
from mcusim.models.onnx.tensor import Tensor
from mcusim.system.arrays import Array

Convert = Callable[[OnnxNode], Tensor]


def _batch_normalization(node: OnnxNode) -> Tensor:
    """w = scale / sqrt(variance + epsilon), b = bias - mean w (section 5.7 of the MicroAI paper)."""
    x, rank = node.x, len(node.x.shape)
    node.real("momentum", 0.9)
    if node.whole("training_mode", 0) or not node.whole("spatial", 1):
        raise node.refused("is in training mode, or not by channel", "export the model for inference: model.eval()")
    scale, bias, mean, variance = (node.weights(index).astype(np.float64).reshape(-1) for index in range(1, 5))
    channels = x.shape[1] if rank > 1 else 0
    if {len(array) for array in (scale, bias, mean, variance)} != {channels}:
        raise node.refused(f"has no weights for {x.shape}", EXPORT)
    epsilon = node.real("epsilon", 1e-5)
    if (variance + epsilon <= 0).any():
        raise node.refused("has a negative variance", "train it again")
    scale = scale / np.sqrt(variance + epsilon)
    return rescaled(node, x, _along(rank, scale), _along(rank, bias - mean * scale))


def _along(rank: int, channels: Array) -> Array:
    """One number for each channel, so that it broadcasts to (N, channels, ..)."""
    return channels.reshape(1, -1, *(1,) * (rank - 2))


def _layer_normalization(node: OnnxNode) -> Tensor:
    x, rank = node.x, len(node.x.shape)
    axis = node.axis(node.whole("axis", -1), rank)
    node.whole("stash_type", 1)
    kept = x.shape[axis:]
    scale = node.weights(1)
    bias = node.weights(2) if node.has(2) else np.zeros(1, np.float32)
    try:
        gamma, beta = (np.broadcast_to(array, kept).reshape(-1) for array in (scale, bias))
    except ValueError:
        raise node.refused(f"has weights of shape {scale.shape} for {kept}", EXPORT) from None
    last = tuple(range(axis, rank))
    # In the order of ONNX, so that the weights need not move.
    moved = node.made.moved(x, (*(a for a in with_last(x, last) if a < axis), *last))
    return standardized(node, moved, gamma, beta, node.real("epsilon", 1e-5), node.name)


def standardized(node: OnnxNode, x: Tensor, gamma: Array, beta: Array, epsilon: float, name: str) -> Tensor:
    """Rows of as many numbers as `gamma`, as they lie in memory."""
    count = len(gamma)
    if count == 1:
        raise node.refused("standardizes single numbers", "leave it out: they become 0")
    weights = {"kernel": np.ascontiguousarray(gamma, np.float32), "bias": np.ascontiguousarray(beta, np.float32)}
    return node.like(x, LayerNormalization, name, shape=rows(node, x, count), epsilon=epsilon, **weights)


def _instance_normalization(node: OnnxNode) -> Tensor:
    """Each channel is a group."""
    return _grouped(node, node.x.shape[1] if len(node.x.shape) > 1 else 1)


def _group_normalization(node: OnnxNode) -> Tensor:
    node.whole("stash_type", 1)
    return _grouped(node, node.whole("num_groups", 0))


def _grouped(node: OnnxNode, groups: int) -> Tensor:
    """Groups of channels, each standardized as a whole, then scaled by channel."""
    x, shape = node.x, node.x.shape
    if len(shape) < 3 or groups < 1 or shape[1] % groups:
        raise node.refused(f"makes {groups} groups of {shape}", EXPORT)
    scale, bias = node.weights(1).reshape(-1), node.weights(2).reshape(-1)
    if len(scale) == len(bias) == groups != shape[1] and node.opset < 21:  # then one for each group
        scale, bias = (np.repeat(array, shape[1] // groups) for array in (scale, bias))
    if len(scale) != shape[1] or len(bias) != shape[1]:
        raise node.refused(f"has weights of shape {scale.shape} for {shape}", EXPORT)
    wide = as_shape(node, x, (1, groups, shape[1] // groups, *shape[2:]))
    moved = node.made.moved(wide, (0, 1, *with_last(wide, tuple(range(2, len(wide.axes))))[2:]))
    elements = math.prod(wide.shape[2:])
    ones, zeros, epsilon = np.ones(elements), np.zeros(elements), node.real("epsilon", 1e-5)
    same = as_shape(node, standardized(node, moved, ones, zeros, epsilon, node.named("standardized")), shape)
    return rescaled(node, same, _along(len(shape), scale), _along(len(shape), bias))


CONVERTERS: Mapping[str, Convert] = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _instance_normalization,
    "LayerNormalization": _layer_normalization,
}
