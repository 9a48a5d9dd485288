//! Whole networks: what surrounds blocks, what is no block, and numbers that are none.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use infer::InstructionSet;
use proptest::prelude::*;
use support::{Layer, Limits, Network, assert_same, input, numbers, run, seeds, sets};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{Approximation, AxisOp};
use tract_onnx::tract_core::ops::array::{Pad, PadMode};
use tract_onnx::tract_core::ops::cnn::{MaxPool, PaddingSpec, PoolSpec, SumPool};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::{DataFormat, Reduce, Reducer, sigmoid};

fn convolution(columns: usize, side: usize, limits: Limits) -> Layer {
    Layer { sides: [side; 2], before: [side / 2; 2], after: [side / 2; 2], ..Layer::pointwise(columns, limits) }
}

fn pool(network: &Network, sides: [usize; 2], strides: [usize; 2], padding: PaddingSpec) -> PoolSpec {
    let channels = network.shape()[0];
    PoolSpec {
        data_format: DataFormat::NCHW,
        kernel_shape: TVec::from_slice(&sides),
        padding,
        dilations: None,
        strides: Some(TVec::from_slice(&strides)),
        input_channels: channels,
        output_channels: channels,
    }
}

fn global_mean(network: &mut Network) {
    let [_, rows, columns] = network.shape()[..] else { panic!("no feature map") };
    network.wire("sum", Reduce { axes: tvec!(2, 3), reducer: Reducer::Sum }, &[network.last]);
    let count = network.given(&[1, 1, 1, 1], &[(rows * columns) as f32]);
    network.wire("mean", math::div(), &[network.last, count]);
    network.wire("squeeze", AxisOp::Rm(3), &[network.last]);
    network.wire("squeeze", AxisOp::Rm(2), &[network.last]);
}

fn dense(network: &mut Network, axes: &str, shape: [usize; 2]) {
    let weights = network.constant(&shape, 0.2);
    network.wire("dense", EinSum::new(axes.parse().unwrap(), f32::datum_type()), &[network.last, weights]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pools_after_a_convolution(
        columns in 1_usize..=40, sides in [1_usize..=3, 1..=3], strides in [1_usize..=3, 1..=3], before in [0_usize..=1, 0..=1],
        after in [0_usize..=1, 0..=1], ceil in any::<bool>(), is_max in any::<bool>(), size in [3_usize..=12, 3..=12], seed in seeds(),
    ) {
        let [before, after] = [before, after].map(|pads| [0, 1].map(|axis| sides[axis].min(pads[axis] + 1) - 1));
        let shape = [2, 3, size[0], size[1]];
        let mut network = Network::new(&shape, seed);
        network.convolution(&convolution(columns, 3, Limits::None));
        let pool = pool(&network, sides, strides, PaddingSpec::ExplicitOnnxPool(TVec::from_slice(&before), TVec::from_slice(&after), ceil));
        if is_max {
            network.wire("pool", MaxPool { pool_spec: pool, with_index_outputs: None }, &[network.last]);
        } else {
            network.wire("pool", SumPool { pool_spec: pool, count_include_pad: false, normalize: true }, &[network.last]);
        }
        let model = network.finish();
        // Whether a pool is fused depends on its padding; what it gives must not.
        let operators = infer::fuse(model.clone()).unwrap().operators;
        prop_assert!(operators >= usize::from(InstructionSet::detect().is_some()));
        assert_same(&model, &input(&shape, seed), operators);
    }

    #[test]
    fn a_dense_layer_whichever_way_its_weights_lie(batch in 1_usize..=5, rows in 1_usize..=90, columns in 1_usize..=110, seed in seeds()) {
        for (axes, shape) in [("mk,nk->mn", [columns, rows]), ("mk,kn->mn", [rows, columns])] {
            let mut network = Network::new(&[batch, rows], seed);
            dense(&mut network, axes, shape);
            assert_same(&network.finish(), &input(&[batch, rows], seed), 1);
        }
    }
}

/// More rows than one band of a convolution with its pool holds: bands share rows, or leave some out between them.
#[test]
fn a_large_feature_map_is_pooled_in_bands() {
    for (side, stride, before, after) in [(3, 2, 0, 1), (3, 2, 1, 1), (5, 1, 2, 2), (2, 3, 0, 0), (5, 2, 4, 3)] {
        let shape = [2, 3, 91, 70];
        let mut network = Network::new(&shape, 6);
        network.convolution(&convolution(60, 3, Limits::Relu));
        let pads = PaddingSpec::ExplicitOnnxPool(tvec!(before; 2), tvec!(after; 2), false);
        let pool = pool(&network, [side; 2], [stride; 2], pads);
        network.wire("pool", MaxPool { pool_spec: pool, with_index_outputs: None }, &[network.last]);
        assert_same(&network.finish(), &input(&shape, 6), 1);
    }
}

/// A residual network in small: image, pool, blocks with and without a shortcut, padding, mean, dense.
fn residual_network(batch: usize) -> TypedModel {
    let mut network = Network::new(&[batch, 3, 30, 26], 11);
    network.convolution(&Layer { strides: [2, 2], ..convolution(24, 7, Limits::Relu) });
    let pool = pool(&network, [3, 3], [2, 2], PaddingSpec::ExplicitOnnxPool(tvec!(0, 0), tvec!(1, 1), false));
    network.wire("pool", MaxPool { pool_spec: pool, with_index_outputs: None }, &[network.last]);
    let from = network.last;
    network.convolution(&convolution(24, 3, Limits::Relu)).convolution(&convolution(24, 3, Limits::None)).add(from).limit(Limits::Relu);
    let from = network.last;
    network.wire("pad", Pad { pads: vec![(0, 0), (0, 8), (0, 0), (0, 0)], mode: PadMode::default() }, &[from]);
    let shortcut = network.last;
    network.last = from;
    network.convolution(&convolution(32, 3, Limits::None)).add(shortcut).limit(Limits::Relu);
    global_mean(&mut network);
    dense(&mut network, "mk,kn->mn", [32, 10]);
    network.finish()
}

#[test]
fn a_residual_network() {
    for batch in [1, 3] {
        assert_same(&residual_network(batch), &input(&[batch, 3, 30, 26], 5), 6);
    }
}

#[test]
fn a_batch_may_be_symbolic() {
    let mut network = Network::new(&[1, 3, 9, 9], 2);
    let symbol = network.model.symbols.sym("N").to_dim();
    let fact = f32::fact([symbol, 3.to_dim(), 9.to_dim(), 9.to_dim()]);
    network.model.set_input_fact(0, fact).unwrap();
    network.convolution(&convolution(16, 3, Limits::Relu6)).convolution(&convolution(8, 1, Limits::None));
    let model = network.finish();
    for batch in [1, 4] {
        assert_same(&model, &input(&[batch, 3, 9, 9], 2), 2);
    }
}

#[test]
fn what_is_no_block_stays_and_what_several_use_is_kept() {
    let shape = [1, 20, 8, 8];
    let mut network = Network::new(&shape, 4);
    // Grouped: stays tract's. Its limits cannot be fused either.
    network.convolution(&Layer { groups: 5, ..convolution(20, 3, Limits::Relu6) });
    let shared = network.convolution(&convolution(33, 1, Limits::None)).last;
    // The convolution's own result is used, too: limits are a node of their own, on channels that are last.
    network.limit(Limits::Relu6);
    network.wire("sigmoid", sigmoid(), &[network.last]).add(shared);
    network.convolution(&convolution(7, 1, Limits::None));
    assert_same(&network.finish(), &input(&shape, 4), 2);
}

/// A result is written over what is added to it, but not where that is added once more, or is the convolution's own input.
#[test]
fn what_is_added_twice_is_kept() {
    let shape = [2, 20, 9, 9];
    for side in [1, 3] {
        let mut network = Network::new(&shape, 8);
        let layer = convolution(20, side, Limits::None);
        let first = network.convolution(&layer).last;
        network.convolution(&layer).add(first).limit(Limits::Relu);
        network.convolution(&layer).add(first).limit(Limits::Relu);
        assert_same(&network.finish(), &input(&shape, 8), 3);
    }
}

#[test]
fn a_network_may_give_what_is_inside_a_block() {
    let shape = [1, 16, 6, 6];
    let mut network = Network::new(&shape, 4);
    let inner = network.convolution(&convolution(24, 1, Limits::None)).last;
    network.limit(Limits::Relu);
    let last = network.last;
    network.model.select_output_outlets(&[inner, last]).unwrap();
    let expected = network.model.clone().into_optimized().unwrap().into_runnable().unwrap().run(tvec!(input(&shape, 4).into())).unwrap();
    for set in sets() {
        let fused = infer::fuse_for(network.model.clone(), set).unwrap().model.into_optimized().unwrap().into_runnable().unwrap();
        let outputs = fused.run(tvec!(input(&shape, 4).into())).unwrap();
        for (output, expected) in outputs.iter().zip(&expected) {
            output.close_enough(expected, Approximation::Approximate).unwrap();
        }
    }
}

#[test]
fn a_number_that_is_none_goes_where_tract_lets_it_go() {
    let shape = [1, 16, 3, 3];
    let mut pixels = numbers(16 * 9, 1, 1.0);
    (pixels[4], pixels[20], pixels[40]) = (f32::NAN, f32::INFINITY, f32::NEG_INFINITY);
    let tensor = Tensor::from_shape(&shape, &pixels).unwrap();
    for limits in [Limits::None, Limits::Relu, Limits::Relu6] {
        let mut network = Network::new(&shape, 9);
        network.convolution(&convolution(19, 1, limits));
        assert_same(&network.finish(), &tensor, 1);
    }
}

#[test]
fn nothing_to_fuse_leaves_the_network_as_it_is() {
    let mut network = Network::new(&[1, 5], 1);
    network.wire("sigmoid", sigmoid(), &[network.last]);
    let model = network.finish();
    let fused = infer::fuse(model.clone()).unwrap();
    assert_eq!((fused.operators, fused.model.nodes.len()), (0, model.nodes.len()));
}

#[test]
fn clones_share_their_weights_and_threads_their_network() {
    let plan = infer::fuse(residual_network(1)).unwrap().model.into_optimized().unwrap().into_runnable().unwrap();
    let image = input(&[1, 3, 30, 26], 5);
    let expected = run(residual_network(1), &image).1;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let output = plan.run(tvec!(image.clone().into())).unwrap();
                    let output = output[0].to_plain_array_view::<f32>().unwrap();
                    assert!(output.iter().zip(&expected).all(|(number, expected)| (number - expected).abs() < 1e-4));
                }
            });
        }
    });
}
