//! Convolutions of any shape give what tract gives: rows, columns and channels that fill no tile and no vector.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::{Layer, Limits, Network, assert_same, input, limits, seeds};
use tract_onnx::tract_core::internal::AxisOp;

/// One convolution of anything between a pixel and a small feature map.
fn layers() -> impl Strategy<Value = Layer> {
    let sides = [1_usize..=4, 1..=4];
    let pads = ([0_usize..=2, 0..=2], [0_usize..=2, 0..=2]);
    (1_usize..=70, sides, [1_usize..=3, 1..=3], pads, limits()).prop_map(|(columns, sides, strides, (before, after), limits)| Layer {
        columns,
        groups: 1,
        sides,
        strides,
        before,
        after,
        limits,
    })
}

/// Rows and columns that the window fits in.
fn fit(layer: &Layer, size: [usize; 2]) -> [usize; 2] {
    [0, 1].map(|axis| size[axis].max(layer.sides[axis]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution(layer in layers(), batch in 1_usize..=3, depth in 1_usize..=40, size in [1_usize..=17, 1..=17], seed in seeds()) {
        let [rows, columns] = fit(&layer, size);
        let shape = [batch, depth, rows, columns];
        let mut network = Network::new(&shape, seed);
        network.convolution(&layer);
        assert_same(&network.finish(), &input(&shape, seed), 1);
    }

    #[test]
    fn a_convolution_with_something_added(layer in layers(), depth in 1_usize..=40, size in [1_usize..=17, 1..=17], after in limits(), seed in seeds()) {
        let layer = Layer { limits: Limits::None, ..layer };
        let [rows, columns] = fit(&layer, size);
        let shape = [1, depth, rows, columns];
        let mut network = Network::new(&shape, seed);
        let from = network.last;
        let first = network.convolution(&layer).last;
        network.last = from;
        // The other branch is added on the other side, which must make no difference.
        network.convolution(&layer);
        let last = network.last;
        network.wire("add", tract_onnx::tract_core::ops::math::add(), &[first, last]).limit(after);
        assert_same(&network.finish(), &input(&shape, seed), 2);
    }

    #[test]
    fn a_window_of_three_by_three(
        depth in 8_usize..=70, columns in 1_usize..=70, batch in 1_usize..=2, size in [7_usize..=40, 7..=40], before in [0_usize..=2, 0..=2],
        after in [0_usize..=2, 0..=2], is_added in any::<bool>(), limits in limits(), seed in seeds(),
    ) {
        let layer = Layer { sides: [3, 3], before, after, ..Layer::pointwise(columns, Limits::None) };
        let shape = [batch, depth, size[0], size[1]];
        let mut network = Network::new(&shape, seed);
        let from = network.last;
        let first = network.convolution(&layer).last;
        if is_added {
            network.last = from;
            network.convolution(&layer).add(first);
        }
        network.limit(limits);
        assert_same(&network.finish(), &input(&shape, seed), 1 + usize::from(is_added));
    }

    #[test]
    fn an_image_with_its_channels_last(layer in layers(), depth in 1_usize..=4, size in [1_usize..=17, 1..=17], seed in seeds()) {
        let [rows, columns] = fit(&layer, size);
        let shape = [1, rows, columns, depth];
        let mut network = Network::new(&shape, seed);
        network.wire("move", AxisOp::Move(3, 1), &[network.last]);
        network.convolution(&layer);
        network.wire("move", AxisOp::Move(1, 3), &[network.last]);
        assert_same(&network.finish(), &input(&shape, seed), 1);
    }
}

#[test]
fn large_feature_maps_are_cut_into_many_tiles() {
    for (depth, columns, side, size) in [(3, 32, 3, 65), (24, 96, 1, 33), (48, 130, 3, 20), (300, 17, 1, 5)] {
        let pad = [side / 2; 2];
        let layer = Layer { sides: [side; 2], before: pad, after: pad, ..Layer::pointwise(columns, Limits::Relu6) };
        let shape = [2, depth, size, size];
        let mut network = Network::new(&shape, 7);
        network.convolution(&layer);
        assert_same(&network.finish(), &input(&shape, 7), 1);
    }
}
