//! Reads nodes of a network: constants, shapes, convolutions and what follows them. Owns how tract says these things;
//! knows operators by their types, never by their names.

use tract_onnx::prelude::{Datum as _, OutletId, TVec, TypedModel};
use tract_onnx::tract_core::internal::DimLike as _;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::cnn::conv::KernelFormat;
use tract_onnx::tract_core::ops::cnn::{Conv, PoolSpec};
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::math::{Add, Max, Min};
use tract_onnx::tract_core::ops::nn::DataFormat;

use crate::pack::Activation;
use crate::window::Window;

/// Whether a node gives the same whatever the inputs are.
pub(super) fn is_constant(model: &TypedModel, id: usize) -> bool {
    let node = model.node(id);
    node.op_is::<Const>() || (!node.inputs.is_empty() && node.inputs.iter().all(|input| is_constant(model, input.node)))
}

/// The numbers of a constant.
pub(super) fn constant(model: &TypedModel, outlet: OutletId) -> Option<Vec<f32>> {
    let node = model.node(outlet.node);
    let Some(tensor) = &model.outlet_fact(outlet).ok()?.konst else {
        return if node.op_is::<Cast>() { constant(model, node.inputs[0]) } else { None };
    };
    if !tensor.datum_type().is_float() && !tensor.datum_type().is_integer() {
        return None;
    }
    let numbers = tensor.cast_to::<f32>().ok()?;
    Some(numbers.try_as_plain_ram().ok()?.as_slice::<f32>().ok()?.to_vec())
}

/// The lengths of a tensor of `f32` without the batch. `None` when one is not known.
pub(super) fn shape(model: &TypedModel, outlet: OutletId) -> Option<TVec<usize>> {
    let fact = model.outlet_fact(outlet).ok()?;
    if fact.datum_type != f32::datum_type() || fact.rank() == 0 {
        return None;
    }
    fact.shape[1..].iter().map(|length| length.to_usize().ok()).collect()
}

/// The node that alone uses what this one gives; `None` when there are several, or the network itself gives it.
pub(super) fn follower(model: &TypedModel, id: usize) -> Option<usize> {
    let [output] = &*model.node(id).outputs else { return None };
    let is_given = model.outputs.iter().any(|given| given.node == id);
    match &*output.successors {
        [only] if !is_given => Some(only.node),
        _ => None,
    }
}

/// The other input of a binary operator of which `id` gives one.
fn other(model: &TypedModel, binary: usize, id: usize) -> Option<OutletId> {
    match *model.node(binary).inputs {
        [a, b] if a.node == id && b.node != id => Some(b),
        [a, b] if b.node == id && a.node != id => Some(a),
        _ => None,
    }
}

/// Whether a node is the binary operator `T`, and gives the shape of what `id` gives.
fn is_binary<T: BinMiniOp>(model: &TypedModel, binary: usize, id: usize) -> bool {
    let node = model.node(binary);
    let is_kind = node.op_as::<TypedBinOp>().is_some_and(|op| op.0.is::<T>() && op.1.is_none());
    is_kind && node.outputs[0].fact.shape == model.node(id).outputs[0].fact.shape
}

/// The limit that follows `id` as the binary operator `T` with one number.
fn limit<T: BinMiniOp>(model: &TypedModel, id: usize) -> Option<(f32, usize)> {
    let next = follower(model, id).filter(|next| is_binary::<T>(model, *next, id))?;
    match *constant(model, other(model, next, id)?)? {
        [limit] if !limit.is_nan() => Some((limit, next)),
        _ => None,
    }
}

/// The activation that follows `id`, and the nodes that it is made of.
pub(super) fn activation(model: &TypedModel, id: usize) -> (Activation, Vec<usize>) {
    let Some((low, first)) = limit::<Max>(model, id) else { return (Activation::None, Vec::new()) };
    match limit::<Min>(model, first) {
        Some((high, second)) => (Activation::Clip(low, high), vec![first, second]),
        None => (Activation::Clip(low, f32::INFINITY), vec![first]),
    }
}

/// What is added to what `id` gives, of the same shape, and the node that adds.
pub(super) fn addition(model: &TypedModel, id: usize) -> Option<(OutletId, usize)> {
    let next = follower(model, id).filter(|next| is_binary::<Add>(model, *next, id))?;
    let added = other(model, next, id)?;
    (model.outlet_fact(added).ok()?.shape == model.node(id).outputs[0].fact.shape).then_some((added, next))
}

/// The window of a convolution or a pool over feature maps whose channels come first.
pub(super) fn window(pool: &PoolSpec, input: &[usize]) -> Option<Window> {
    let (&[_, height, width], &[high, wide]) = (input, &*pool.kernel_shape) else { return None };
    if pool.data_format != DataFormat::NCHW || pool.dilations().iter().any(|dilation| *dilation != 1) {
        return None;
    }
    let padding = pool.computed_padding(&[height, width]);
    Some(Window {
        input: [height, width],
        sides: [high, wide],
        strides: [pool.stride(0), pool.stride(1)],
        before: [padding[0].pad_before, padding[1].pad_before],
        after: [padding[0].pad_after, padding[1].pad_after],
    })
}

/// A convolution with known weights.
#[derive(Debug)]
pub(super) struct Convolution {
    /// The node.
    pub(super) id: usize,
    /// What it convolves.
    pub(super) input: OutletId,
    /// The window.
    pub(super) window: Window,
    /// Channels of the input.
    pub(super) depth: usize,
    /// Groups of channels.
    pub(super) groups: usize,
    /// By output channel, input channel of the group, row, column.
    pub(super) weights: Vec<f32>,
    /// For each output channel.
    pub(super) bias: Vec<f32>,
}

impl Convolution {
    /// Reads the node, if it is one.
    pub(super) fn read(model: &TypedModel, id: usize) -> Option<Self> {
        let node = model.node(id);
        let convolution = node.op_as::<Conv>()?;
        let &[input, weights, bias] = &*node.inputs else { return None };
        let (pool, shape) = (&convolution.pool_spec, shape(model, input)?);
        let window = window(pool, &shape)?;
        let (weights, mut bias) = (constant(model, weights)?, constant(model, bias)?);
        if let [bias_of_all] = *bias {
            bias = vec![bias_of_all; pool.output_channels];
        }
        let taps = pool.input_channels / convolution.group * window.sides[0] * window.sides[1];
        let is_plain = convolution.q_params.is_none() && convolution.kernel_fmt == KernelFormat::OIHW;
        let is_whole = bias.len() == pool.output_channels && weights.len() == pool.output_channels * taps;
        let read = Self { id, input, window, depth: pool.input_channels, groups: convolution.group, weights, bias };
        (is_plain && is_whole && shape[0] == pool.input_channels).then_some(read)
    }

    /// Whether it looks at single pixels, all channels of each.
    pub(super) fn is_pointwise(&self) -> bool {
        self.groups == 1 && self.window.sides == [1, 1] && self.window.strides == [1, 1] && self.window.is_bare()
    }

    /// Whether it looks at each channel by itself, and gives as many.
    pub(super) fn is_depthwise(&self) -> bool {
        self.groups == self.depth && self.bias.len() == self.depth
    }
}
