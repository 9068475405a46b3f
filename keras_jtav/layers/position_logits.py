"""The attention of Eq. 3 over the coordinates of a vector, and its gradient."""

import contextlib
from functools import partial

from keras import ops

from keras_jtav.layers.chebyshev import Interpolation, interpolation_error

NODES = (17, 65)  # the fewer the faster, the more the steeper
TOLERANCE = 1e-6  # of the logits
_WORTH_IT = 3  # positions to a node, below which all positions are as fast


@contextlib.contextmanager
def using_nodes(counts):
    """Let attention that is traced or run inside choose from these numbers of nodes.

    With none, it is computed at every coordinate: a graph without branches.

    Args:
        counts: In place of ``NODES``, ascending.
    """
    global NODES
    kept, NODES = NODES, tuple(counts)
    try:
        yield
    finally:
        NODES = kept


def position_logits(positions, slopes, bias, context):
    """Return ``f(x_j) = sum_k u_k tanh(a_k x_j + b_k)`` at every coordinate of n.

    With a bias shared by all coordinates, ``f`` is a smooth function of one number: its
    values at a few Chebyshev nodes give it everywhere. The sizes of ``x``, ``a`` and
    ``u`` tell which number of nodes is exact to ``TOLERANCE``; where none is, where the
    vectors are short, and with a bias for each coordinate, ``f`` is computed at all.

    Args:
        positions: ``x``, float32 (batch, positions).
        slopes: ``a``, float32 (batch, units).
        bias: ``b``, float32 (units,) or (positions, units).
        context: ``u``, float32 (units, heads).

    Returns:
        float32 (batch, heads, positions).
    """
    if len(bias.shape) == 2 or not _worthwhile(positions):
        latent = _latent(positions, slopes, bias)
        return ops.swapaxes(ops.matmul(latent, context), -1, -2)
    return _interpolated_logits(positions, slopes, bias, context)


def all_position_logits(positions, slopes, bias, context, count):
    """Return ``f`` of every row of ``slopes`` at the coordinates of every ``n``.

    The nodes are shared: ``f`` is computed at ``count`` numbers for each row of slopes,
    and one product of matrices takes it to all coordinates.

    Args:
        positions: ``x``, float32 (others, positions).
        slopes: ``a``, float32 (vectors, units).
        bias: ``b``, float32 (units,).
        context: ``u``, float32 (units, heads).
        count: Number of nodes, as ``nodes_needed`` says.

    Returns:
        float32 (vectors, heads, others, positions).
    """
    line = ops.reshape(positions, (1, -1))
    between = Interpolation(line, count)
    values = ops.matmul(_latent(between.nodes, slopes, bias), context)
    logits = ops.matmul(ops.swapaxes(values, -1, -2), between.basis()[0])
    return ops.reshape(logits, (*logits.shape[:2], *positions.shape))


def nodes_needed(positions, slopes, context):
    """Return the least of ``NODES`` that is exact to ``TOLERANCE``; ``None`` if none.

    Args:
        positions: ``x``, float (..., positions), values and not symbols, as all here.
        slopes: ``a``, float (..., units).
        context: ``u``, float (units, heads).
    """
    is_exact = _bound(positions, slopes, context)
    return next((count for count in NODES if is_exact(count)), None)


def _latent(points, slopes, bias):
    """Return ``tanh(a_k x + b_k)``, (batch, points, units)."""
    return ops.tanh(points[:, :, None] * slopes[:, None, :] + bias)


@ops.custom_gradient
def _interpolated_logits(positions, slopes, bias, context):
    """As ``_forward``; nothing is kept for the gradient, which computes it again."""

    def gradient(*arguments, upstream=None):  # which of them, depends on the backend
        upstream = arguments[0] if upstream is None else upstream
        return _backward(upstream, positions, slopes, bias, context)

    return _forward(positions, slopes, bias, context), gradient


def _forward(positions, slopes, bias, context):
    def at(points):
        return ops.matmul(_latent(points, slopes, bias), context)

    def direct():
        return ops.swapaxes(at(positions), -1, -2)

    def through_nodes(count):
        between = Interpolation(positions, count)
        return between.at_positions(ops.swapaxes(at(between.nodes), -1, -2))

    return _in_best_form(direct, through_nodes, positions, slopes, context)


def _backward(upstream, positions, slopes, bias, context):
    """Return the gradients of all arguments."""

    def at(points, upstream):
        """Return the derivative at points, and what flows back from their values."""
        latent = _latent(points, slopes, bias)
        steep = 1 - latent * latent
        derivative = ops.matmul(steep * slopes[:, None, :], context)
        inner = ops.matmul(upstream, ops.transpose(context)) * steep
        flows = (
            ops.matmul(points[:, None, :], inner)[:, 0],
            ops.sum(inner, axis=(0, 1)),
            ops.einsum("bpk,bph->kh", latent, upstream),
        )
        return derivative, flows

    def direct():
        by_position = ops.swapaxes(upstream, 1, 2)
        derivative, flows = at(positions, by_position)
        return (ops.sum(derivative * by_position, axis=-1), *flows)

    def through_nodes(count):
        between = Interpolation(positions, count)
        by_node = ops.swapaxes(between.at_nodes(upstream), 1, 2)
        derivative, flows = at(between.nodes, by_node)
        derivative = between.at_positions(ops.swapaxes(derivative, 1, 2))
        return (ops.sum(derivative * upstream, axis=1), *flows)

    return _in_best_form(direct, through_nodes, positions, slopes, context)


def _in_best_form(direct, through_nodes, positions, slopes, context):
    is_exact = _bound(positions, slopes, context)
    form = direct
    for count in reversed(_worthwhile(positions)):
        nodes = partial(through_nodes, count)
        form = partial(ops.cond, is_exact(count), nodes, form)
    return form()


def _worthwhile(positions):
    """Return those of ``NODES`` that are far fewer than the positions."""
    return [count for count in NODES if positions.shape[-1] >= _WORTH_IT * count]


def _bound(positions, slopes, context):
    """Return a function that says whether a number of nodes is exact enough."""
    steepness = ops.max(ops.abs(slopes)) * ops.max(ops.abs(positions))
    size = ops.max(ops.sum(ops.abs(context), axis=0))  # of the steepest head
    return lambda count: size * interpolation_error(steepness, count) <= TOLERANCE
