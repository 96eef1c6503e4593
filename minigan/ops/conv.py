"""Convolution, transposed convolution, and why each is the other's gradient.

Take the number <g, conv2d(x, w)>. It is linear in each of x, w and g, and its three partial derivatives are

    d/dg = conv2d(x, w)                    the convolution
    d/dx = conv2d_input(g, w)              the transposed convolution
    d/dw = conv2d_weight(x, g)             the weight gradient

So the gradient of any one of them with respect to its two arguments is made of the other two, and the three are closed
under differentiation to every order.
"""

from __future__ import annotations

from ..backend import Array, ArrayBackend, ConvGeometry
from ..errors import InputError
from ..sizes import Size, pair
from ..tensor import Gradients, Tensor, apply, check_dtypes
from .partial import Partial
from .shape import pad


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Size = 0,
    dilation: Size = 1,
) -> Tensor:
    """y[n,f,i,j] = bias[f] + sum_{c,a,b} x[n, c, s*i + d*a - p, s*j + d*b - p] * weight[f,c,a,b]

    x (N, C, H, W), weight (F, C, kh, kw), bias (F,) -> y (N, F, oh, ow), oh = floor((H + 2p - d(kh - 1) - 1) / s) + 1.
    """
    _check("conv2d", x, weight, bias, axis=1, layout="(out, in, kh, kw)")
    s, p, d = _steps("conv2d", stride, padding, dilation)
    geometry = ConvGeometry(x.shape[2:], weight.shape[2:], s, p, d)  # type: ignore[arg-type]
    return _add_bias(apply(Conv2d(geometry), x, weight), bias)


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
) -> Tensor:
    """``conv2d``'s input gradient as a layer: y[n, c, s*i+d*a-p, s*j+d*b-p] += sum_f x[n,f,i,j] * weight[f,c,a,b]

    x (N, F, H, W), weight (F, C, kh, kw), bias (C,) -> y (N, C, oh, ow),
    oh = (H - 1) s - 2p + d (kh - 1) + 1 + output_padding.
    ``output_padding`` picks one among the output sizes that a strided convolution would map to the same input size.
    """
    _check("conv_transpose2d", x, weight, bias, axis=0, layout="(in, out, kh, kw)")
    s, p, d = _steps("conv_transpose2d", stride, padding, dilation)
    extra = pair("conv_transpose2d: output_padding", output_padding, least=0)
    if any(e >= max(step, dil) for e, step, dil in zip(extra, s, d, strict=True)):
        raise InputError(f"conv_transpose2d: output_padding {extra} must be smaller than stride {s} or dilation {d}")
    sizes = zip(x.shape[2:], weight.shape[2:], s, p, d, extra, strict=True)
    out_hw = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 + e for n, k, s, p, d, e in sizes)
    if min(out_hw) < 1:
        raise InputError(
            f"conv_transpose2d: input {x.shape[2:]}, kernel {weight.shape[2:]}, stride {s} and padding {p} "
            f"leave an output of {out_hw}: use less padding"
        )
    more = [e // step for e, step in zip(extra, s, strict=True)]  # a dilated kernel may reach past the last input
    if any(more):
        x = pad(x, [(0, 0), (0, 0), *((0, rows) for rows in more)])
    geometry = ConvGeometry(out_hw, weight.shape[2:], s, p, d)  # type: ignore[arg-type]
    return _add_bias(apply(Conv2dInput(geometry), x, weight), bias)


class Conv2d(Partial):
    """y = conv2d(x, w);  dx = conv2d_input(g, w), dw = conv2d_weight(x, g)"""

    def forward(self, backend: ArrayBackend, x: Array, w: Array) -> Array:
        return backend.conv2d(x, w, self.geometry, self.kept)

    def vjp(self, g: Tensor, y: Tensor, x: Tensor, w: Tensor) -> Gradients:
        partner = self.partner(x, w)
        return lambda: apply(partner(Conv2dInput), g, w), lambda: apply(partner(Conv2dWeight), x, g)


class Conv2dInput(Partial):
    """x = conv2d_input(g, w);  dg = conv2d(gx, w), dw = conv2d_weight(gx, g)"""

    def forward(self, backend: ArrayBackend, g: Array, w: Array) -> Array:
        return backend.conv2d_input(g, w, self.geometry, self.kept)

    def vjp(self, gx: Tensor, x: Tensor, g: Tensor, w: Tensor) -> Gradients:
        partner = self.partner(g, w)
        return lambda: apply(partner(Conv2d), gx, w), lambda: apply(partner(Conv2dWeight), gx, g)


class Conv2dWeight(Partial):
    """w = conv2d_weight(x, g);  dx = conv2d_input(g, gw), dg = conv2d(x, gw)"""

    def forward(self, backend: ArrayBackend, x: Array, g: Array) -> Array:
        return backend.conv2d_weight(x, g, self.geometry, self.kept)

    def vjp(self, gw: Tensor, w: Tensor, x: Tensor, g: Tensor) -> Gradients:
        partner = self.partner(x, g)
        return lambda: apply(partner(Conv2dInput), g, gw), lambda: apply(partner(Conv2d), x, gw)


def _steps(name: str, stride: Size, padding: Size, dilation: Size) -> tuple[tuple[int, int], ...]:
    return (
        pair(f"{name}: stride", stride),
        pair(f"{name}: padding", padding, least=0),
        pair(f"{name}: dilation", dilation),
    )


def _add_bias(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def _check(name: str, x: Tensor, weight: Tensor, bias: Tensor | None, *, axis: int, layout: str) -> None:
    """``axis`` of the weight is that of the input channels; the other one of the first two is that of the outputs."""
    if x.ndim != 4 or weight.ndim != 4:
        raise InputError(f"{name}: input {x.shape} must be (N, C, H, W) and weight {weight.shape} {layout}")
    if x.shape[1] != weight.shape[axis]:
        raise InputError(
            f"{name}: input {x.shape} does not have the {weight.shape[axis]} channels of weight {weight.shape} {layout}"
        )
    outputs = weight.shape[1 - axis]
    if bias is not None and bias.shape != (outputs,):
        raise InputError(f"{name}: bias {bias.shape} must be ({outputs},) for weight {weight.shape} {layout}")
    check_dtypes(name, x, weight, *([] if bias is None else [bias]))
