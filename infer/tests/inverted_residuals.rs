//! Inverted residuals of any shape give what tract gives: bands, padding, channels that fill no vector.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use proptest::prelude::*;
use support::{Layer, Limits, Network, assert_same, input, limits, seeds};

/// An inverted residual.
#[derive(Debug, Clone)]
struct Shape {
    depth: usize,
    /// Channels between, and limits after the expansion; without it, as many as before.
    expand: Option<(usize, Limits)>,
    depthwise: Layer,
    /// Channels after; without them, as many as before, so that the input can be added.
    columns: Option<usize>,
    end: Limits,
    size: [usize; 2],
}

impl Shape {
    /// Wires it to what was wired last.
    fn wire(&self, network: &mut Network) {
        let from = network.last;
        if let Some((columns, limits)) = self.expand {
            network.convolution(&Layer::pointwise(columns, limits));
        }
        let channels = network.shape()[0];
        network.convolution(&Layer { columns: channels, groups: channels, ..self.depthwise.clone() });
        network.convolution(&Layer::pointwise(self.columns.unwrap_or(self.depth), Limits::None));
        if network.shape() == [self.depth, self.size[0], self.size[1]] {
            network.add(from);
        }
        network.limit(self.end);
    }
}

fn depthwise() -> impl Strategy<Value = Layer> {
    (prop_oneof![Just(3_usize), Just(5)], 1_usize..=2, [0_usize..=2, 0..=2], [0_usize..=2, 0..=2], limits()).prop_map(
        |(side, stride, before, after, limits)| Layer {
            columns: 0,
            groups: 0,
            sides: [side; 2],
            strides: [stride; 2],
            before,
            after,
            limits,
        },
    )
}

fn shapes() -> impl Strategy<Value = Shape> {
    let expand = proptest::option::of((1_usize..=120, limits()));
    (1_usize..=40, expand, depthwise(), proptest::option::of(1_usize..=60), limits(), [5_usize..=24, 5..=24])
        .prop_map(|(depth, expand, depthwise, columns, end, size)| Shape { depth, expand, depthwise, columns, end, size })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_inverted_residual(shape in shapes(), batch in 1_usize..=2, seed in seeds()) {
        // A depthwise convolution of one channel is an ordinary one.
        prop_assume!(shape.expand.map_or(shape.depth, |(channels, _)| channels) > 1);
        let lengths = [batch, shape.depth, shape.size[0], shape.size[1]];
        let mut network = Network::new(&lengths, seed);
        shape.wire(&mut network);
        assert_same(&network.finish(), &input(&lengths, seed), 1);
    }
}

/// An image's planes would be taken as they are, were they not added in the end.
#[test]
fn an_image_may_be_added_to_what_is_made_of_it() {
    for depth in 1..=5 {
        let depthwise =
            Layer { columns: 0, groups: 0, sides: [3; 2], strides: [1; 2], before: [1; 2], after: [1; 2], limits: Limits::None };
        let shape = Shape { depth, expand: Some((8, Limits::Relu6)), depthwise, columns: None, end: Limits::None, size: [5, 6] };
        let lengths = [2, depth, 5, 6];
        let mut network = Network::new(&lengths, 7);
        shape.wire(&mut network);
        assert_same(&network.finish(), &input(&lengths, 7), 1);
    }
}

/// More rows than one band of the stage holds.
#[test]
fn large_feature_maps_are_cut_into_bands() {
    for (side, stride, rows) in [(3, 1, 61), (3, 2, 62), (5, 1, 45), (5, 2, 64)] {
        let pad = [side / 2; 2];
        let depthwise =
            Layer { columns: 0, groups: 0, sides: [side; 2], strides: [stride; 2], before: pad, after: pad, limits: Limits::Relu6 };
        let (expand, size) = (Some((160, Limits::Relu6)), [rows, 70]);
        let shape = Shape { depth: 24, expand, depthwise, columns: None, end: Limits::None, size };
        let lengths = [1, 24, rows, 70];
        let mut network = Network::new(&lengths, 3);
        shape.wire(&mut network);
        shape_again(&shape, &mut network);
        assert_same(&network.finish(), &input(&lengths, 3), if stride == 1 { 2 } else { 1 });
    }
}

/// A second block after the first, where that leaves the shape as it is: what a stage leaves in memory must not matter.
fn shape_again(shape: &Shape, network: &mut Network) {
    if shape.depthwise.strides == [1, 1] {
        shape.wire(network);
    }
}
