//! Finds convolutions and the blocks that they form with what follows them.

use tract_onnx::prelude::{OutletId, TypedModel};

use super::read::{Convolution, activation, addition, follower};
use super::{Block, Layout, pools};
use crate::instruction_set::InstructionSet;
use crate::kernels::Taps;
use crate::pack::{Activation, Packed};
use crate::stages::{self, Channels, InvertedResidual, Kernels, Parts, PooledConvolution, Winograd};

/// Channels of an image: with more, it is worth to have them last.
const IMAGE_CHANNELS: usize = 4;

/// [Expand,] depthwise, project [, add the input] [, activation].
pub(super) fn inverted_residual(model: &TypedModel, set: InstructionSet, id: usize, is_last: impl Fn(OutletId) -> bool) -> Option<Block> {
    let first = Convolution::read(model, id)?;
    let mut nodes = vec![id];
    let (expand, depthwise) = if first.groups == 1 {
        let (limits, next) = then(model, id, &mut nodes)?;
        (Some((first, limits)), next)
    } else {
        (None, first)
    };
    let [side, width] = depthwise.window.sides;
    let [stride, right] = depthwise.window.strides;
    if !depthwise.is_depthwise() || side != width || stride != right || !Taps::supports(side, stride) {
        return None;
    }
    let (limits, project) = then(model, depthwise.id, &mut nodes)?;
    if !project.is_pointwise() {
        return None;
    }
    let input = expand.as_ref().map_or(depthwise.input, |(expand, _)| expand.input);
    let is_plain = expand.as_ref().is_none_or(|(expand, _)| expand.is_pointwise());
    let (added, last) = tail(model, project.id, &mut nodes, |added| is_plain && added == input);
    let taps = Taps::new(set, side, stride, &depthwise.weights, &depthwise.bias, limits);
    let (channels, layout) = match &expand {
        // What is added has the layout of what it is added to.
        Some((expand, _)) if added.is_none() => channels(expand, is_last),
        _ => (Channels::Last, Layout::Last),
    };
    let expand = match expand {
        Some((read, limits)) => {
            Some(stages::Convolution::new(set, read.window, &kernels(&read, limits), taps.channels(), channels, false)?)
        }
        None => None,
    };
    let parts = Parts {
        window: depthwise.window,
        depth: depthwise.depth,
        expand,
        project: pointwise(set, &project, (taps.channels(), project.bias.len()), last),
        taps,
        is_residual: added.is_some(),
    };
    Some(Block::new(InvertedResidual::new(set, parts)?, vec![(input, layout)], nodes, Layout::Last))
}

/// Convolution [, add] [, activation], or convolution [, activation], maximum of windows.
pub(super) fn convolution(
    model: &TypedModel,
    set: InstructionSet,
    id: usize,
    is_known: impl Fn(OutletId) -> bool,
    is_last: impl Fn(OutletId) -> bool,
) -> Option<Block> {
    let read = Convolution::read(model, id).filter(|read| read.groups == 1)?;
    let mut nodes = vec![id];
    let (added, limits) = tail(model, id, &mut nodes, is_known);
    let (channels, layout) = channels(&read, is_last);
    if let Some(stage) = Winograd::new(set, read.window, &kernels(&read, limits), added.is_some()).filter(|_| channels == Channels::Last) {
        let inputs = [read.input].into_iter().chain(added).map(|outlet| (outlet, Layout::Last)).collect();
        return Some(Block::new(stage, inputs, nodes, Layout::Last));
    }
    let stage = stages::Convolution::new(set, read.window, &kernels(&read, limits), read.bias.len(), channels, added.is_some())?;
    let pool = follower(model, *nodes.last()?).and_then(|next| Some((next, pools::max(model, set, next)?)));
    if let Some((next, pool)) = pool.filter(|_| added.is_none()) {
        nodes.push(next);
        return Some(Block::new(PooledConvolution::new(set, stage, pool), vec![(read.input, layout)], nodes, Layout::Last));
    }
    let inputs = [(read.input, layout)].into_iter().chain(added.map(|added| (added, Layout::Last))).collect();
    Some(Block::new(stage, inputs, nodes, Layout::Last))
}

/// How a convolution takes its input: an image's planes as they are.
fn channels(read: &Convolution, is_last: impl Fn(OutletId) -> bool) -> (Channels, Layout) {
    if read.depth <= IMAGE_CHANNELS && !is_last(read.input) { (Channels::First, Layout::First) } else { (Channels::Last, Layout::Last) }
}

fn kernels(read: &Convolution, activation: Activation) -> Kernels<'_> {
    Kernels { weights: &read.weights, bias: &read.bias, depth: read.depth, activation }
}

/// The activation of `id`, and the convolution that alone follows it.
fn then(model: &TypedModel, id: usize, nodes: &mut Vec<usize>) -> Option<(Activation, Convolution)> {
    let (limits, limiting) = activation(model, id);
    let last = limiting.last().copied().unwrap_or(id);
    let next = Convolution::read(model, follower(model, last)?)?;
    nodes.extend(limiting);
    nodes.push(next.id);
    Some((limits, next))
}

/// What is added after `id`, if it `may` be, and then the activation.
fn tail(model: &TypedModel, id: usize, nodes: &mut Vec<usize>, may: impl Fn(OutletId) -> bool) -> (Option<OutletId>, Activation) {
    let added = addition(model, id).filter(|(added, _)| may(*added));
    nodes.extend(added.map(|(_, node)| node));
    let (limits, limiting) = activation(model, added.map_or(id, |(_, node)| node));
    nodes.extend(limiting);
    (added.map(|(added, _)| added), limits)
}

/// The weights of a pointwise convolution, filled up with zeros to `size`, its inputs and outputs.
fn pointwise(set: InstructionSet, convolution: &Convolution, size: (usize, usize), limits: Activation) -> Packed {
    let Convolution { weights, bias, depth, .. } = convolution;
    let weight = |row: usize, column: usize| if row < *depth && column < bias.len() { weights[column * depth + row] } else { 0.0 };
    Packed::new(set, size, weight, bias, limits)
}
