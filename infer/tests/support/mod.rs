//! Networks of random weights, and what tract says to them with and without fusing.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test uses a part; a test fails by panicking")]

use infer::InstructionSet;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::conv::KernelFormat;
use tract_onnx::tract_core::ops::cnn::{Conv, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::DataFormat;

/// What a convolution does at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limits {
    None,
    Relu,
    Relu6,
}

/// A convolution whose input is what was wired last.
#[derive(Debug, Clone)]
pub struct Layer {
    pub columns: usize,
    pub groups: usize,
    pub sides: [usize; 2],
    pub strides: [usize; 2],
    pub before: [usize; 2],
    pub after: [usize; 2],
    pub limits: Limits,
}

impl Layer {
    pub fn pointwise(columns: usize, limits: Limits) -> Self {
        Self { columns, groups: 1, sides: [1, 1], strides: [1, 1], before: [0, 0], after: [0, 0], limits }
    }
}

pub fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![Just(Limits::None), Just(Limits::Relu), Just(Limits::Relu6)]
}

/// A network that is being made. Weights come from a seed.
pub struct Network {
    pub model: TypedModel,
    pub last: OutletId,
    seed: u64,
    names: usize,
}

impl Network {
    /// A network of an input of this shape.
    pub fn new(shape: &[usize], seed: u64) -> Self {
        let mut model = TypedModel::default();
        let last = model.add_source("input", f32::fact(shape)).unwrap();
        Self { model, last, seed, names: 0 }
    }

    fn name(&mut self, what: &str) -> String {
        self.names += 1;
        format!("{what}.{}", self.names)
    }

    /// A constant of random numbers within ±`scale`.
    pub fn constant(&mut self, shape: &[usize], scale: f32) -> OutletId {
        let numbers = numbers(shape.iter().product(), self.seed + self.names as u64, scale);
        self.given(shape, &numbers)
    }

    pub fn given(&mut self, shape: &[usize], numbers: &[f32]) -> OutletId {
        let name = self.name("constant");
        self.model.add_const(name, Tensor::from_shape(shape, numbers).unwrap()).unwrap()
    }

    pub fn wire(&mut self, what: &str, op: impl Into<Box<dyn TypedOp>>, inputs: &[OutletId]) -> &mut Self {
        let name = self.name(what);
        self.last = self.model.wire_node(name, op, inputs).unwrap()[0];
        self
    }

    pub fn shape(&self) -> Vec<usize> {
        self.model.outlet_fact(self.last).unwrap().shape[1..]
            .iter()
            .map(|length| usize::try_from(length.to_i64().unwrap()).unwrap())
            .collect()
    }

    pub fn convolution(&mut self, layer: &Layer) -> &mut Self {
        let depth = self.shape()[0];
        let taps = depth / layer.groups * layer.sides[0] * layer.sides[1];
        let pool_spec = PoolSpec {
            data_format: DataFormat::NCHW,
            kernel_shape: TVec::from_slice(&layer.sides),
            padding: PaddingSpec::Explicit(TVec::from_slice(&layer.before), TVec::from_slice(&layer.after)),
            dilations: None,
            strides: Some(TVec::from_slice(&layer.strides)),
            input_channels: depth,
            output_channels: layer.columns,
        };
        let convolution = Conv { pool_spec, kernel_fmt: KernelFormat::OIHW, group: layer.groups, q_params: None };
        let shape = [layer.columns, depth / layer.groups, layer.sides[0], layer.sides[1]];
        let weights = self.constant(&shape, 1.5 / (taps as f32).sqrt());
        let bias = self.constant(&[layer.columns], 0.5);
        self.wire("convolution", convolution, &[self.last, weights, bias]).limit(layer.limits)
    }

    /// Limits as ONNX's Relu and Clip are read.
    pub fn limit(&mut self, limits: Limits) -> &mut Self {
        if limits == Limits::None {
            return self;
        }
        let (low, high) = (self.given(&[1, 1, 1, 1], &[0.0]), self.given(&[1, 1, 1, 1], &[6.0]));
        self.wire("max", math::max(), &[self.last, low]);
        if limits == Limits::Relu6 { self.wire("min", math::min(), &[self.last, high]) } else { self }
    }

    pub fn add(&mut self, other: OutletId) -> &mut Self {
        self.wire("add", math::add(), &[self.last, other])
    }

    /// The network, which gives what was wired last.
    pub fn finish(mut self) -> TypedModel {
        self.model.select_output_outlets(&[self.last]).unwrap();
        self.model
    }
}

/// Numbers within ±`scale`, the same for the same seed.
pub fn numbers(count: usize, seed: u64, scale: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * scale
    };
    (0..count).map(|_| next()).collect()
}

pub fn seeds() -> impl Strategy<Value = u64> {
    any::<u32>().prop_map(u64::from)
}

/// What a network gives for an input.
pub fn run(model: TypedModel, input: &Tensor) -> (Vec<usize>, Vec<f32>) {
    let output = model.into_optimized().unwrap().into_runnable().unwrap().run(tvec!(input.clone().into())).unwrap();
    (output[0].shape().to_vec(), output[0].to_plain_array_view::<f32>().unwrap().iter().copied().collect())
}

/// Numbers in the shape of a network's input.
pub fn input(shape: &[usize], seed: u64) -> Tensor {
    Tensor::from_shape(shape, &numbers(shape.iter().product(), seed ^ 0xFACE, 2.0)).unwrap()
}

/// The instruction sets of this CPU.
pub fn sets() -> impl Iterator<Item = InstructionSet> {
    InstructionSet::ALL.into_iter().filter(|set| set.is_supported())
}

/// Fails unless fusing for each instruction set puts in `operators` and gives what tract alone gives.
pub fn assert_same(model: &TypedModel, input: &Tensor, operators: usize) {
    let (shape, expected) = run(model.clone(), input);
    for set in sets() {
        let fused = infer::fuse_for(model.clone(), set).unwrap();
        assert_eq!(fused.operators, operators, "{set}");
        let (fused_shape, numbers) = run(fused.model, input);
        assert_eq!(fused_shape, shape, "{set}");
        for (index, (number, expected)) in numbers.iter().zip(&expected).enumerate() {
            let same = number == expected || (number.is_nan() && expected.is_nan());
            assert!(same || (number - expected).abs() < 3e-5 * (1.0 + expected.abs()), "{set}: {index} is {number}, not {expected}");
        }
    }
}
