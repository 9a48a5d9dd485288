//! Rewrites a network: walks through its nodes in order, puts fused operators in the place of blocks that it knows, and
//! copies the others. Owns which tensors have their channels last; must not know how anything is computed.

mod blocks;
mod dense;
mod pools;
mod read;

use std::collections::{HashMap, HashSet};

use tract_onnx::prelude::{OutletId, TVec, TractResult, TypedModel};
use tract_onnx::tract_core::internal::{AxisOp, SpecialOps as _, ensure};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;

use crate::instruction_set::InstructionSet;
use crate::operator::Fused;
use crate::stages::Stage;

/// Where the channels of a tensor of four dimensions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Batch, channel, row, column, as ONNX has them; and every tensor of other dimensions.
    First,
    /// Batch, row, column, channel, as the kernels have them.
    Last,
}

/// A tensor of the network, in the rewritten one.
#[derive(Debug, Clone, Copy)]
struct Wire {
    outlet: OutletId,
    layout: Layout,
}

/// A block for which there is an operator.
struct Block {
    operator: Fused,
    /// What it takes, and how.
    inputs: Vec<(OutletId, Layout)>,
    /// What it replaces; the last gives the result.
    nodes: Vec<usize>,
    /// How it gives its result.
    layout: Layout,
}

impl Block {
    fn new(stage: impl Stage + 'static, inputs: Vec<(OutletId, Layout)>, nodes: Vec<usize>, layout: Layout) -> Self {
        Self { operator: Fused::new(stage), inputs, nodes, layout }
    }
}

/// The rewritten network, and how many operators it got.
pub(crate) fn rewrite(source: &TypedModel, set: InstructionSet) -> TractResult<(TypedModel, usize)> {
    let mut target = TypedModel { symbols: source.symbols.clone(), ..TypedModel::default() };
    target.properties = source.properties.clone();
    let mut rewriter = Rewriter { source, set, target, wires: HashMap::new(), replaced: HashSet::new(), operators: 0 };
    rewriter.nodes()?;
    rewriter.ends()?;
    Ok((rewriter.target, rewriter.operators))
}

struct Rewriter<'a> {
    source: &'a TypedModel,
    set: InstructionSet,
    target: TypedModel,
    /// Where each tensor that was reached is now.
    wires: HashMap<OutletId, Wire>,
    /// Nodes that an operator stands for.
    replaced: HashSet<usize>,
    operators: usize,
}

impl Rewriter<'_> {
    fn nodes(&mut self) -> TractResult<()> {
        for input in self.source.input_outlets()? {
            let fact = self.source.outlet_fact(*input)?.clone();
            let outlet = self.target.add_source(&self.source.node(input.node).name, fact)?;
            self.wires.insert(*input, Wire { outlet, layout: Layout::First });
        }
        for id in self.source.eval_order()? {
            let known = self.replaced.contains(&id) || self.wires.contains_key(&OutletId::new(id, 0));
            // What becomes a part of an operator is not copied; what does not, is when it is needed.
            if known || read::is_constant(self.source, id) {
                continue;
            }
            if !self.relabel(id)? {
                match self.find(id) {
                    Some(block) => self.replace(block)?,
                    None => self.copy(id)?,
                }
            }
        }
        Ok(())
    }

    /// The block that begins with this node.
    fn find(&self, id: usize) -> Option<Block> {
        let is_known = |outlet: OutletId| self.wires.contains_key(&outlet);
        let is_last = |outlet: OutletId| self.wires.get(&outlet).is_some_and(|wire| wire.layout == Layout::Last);
        let block = blocks::inverted_residual(self.source, self.set, id, is_last)
            .or_else(|| blocks::convolution(self.source, self.set, id, is_known, is_last))
            .or_else(|| dense::dense(self.source, self.set, id))
            .or_else(|| pools::pool(self.source, self.set, id).filter(|block| is_last(block.inputs[0].0)))?;
        // Whatever was read of the nodes: the operator must give the shape that they gave.
        let shape = read::shape(self.source, OutletId::new(*block.nodes.last()?, 0))?;
        let stage = block.operator.shape();
        let expected = match (block.layout, &*shape) {
            (Layout::Last, &[channels, rows, columns]) => vec![rows, columns, channels],
            _ => shape.to_vec(),
        };
        (stage == expected).then_some(block)
    }

    fn replace(&mut self, block: Block) -> TractResult<()> {
        let Block { operator, inputs, nodes, layout } = block;
        let inputs = inputs.into_iter().map(|(outlet, layout)| self.wire(outlet, layout)).collect::<TractResult<TVec<_>>>()?;
        let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else { return Ok(()) };
        let outlet = self.target.wire_node(&self.source.node(*first).name, operator, &inputs)?[0];
        self.wires.insert(OutletId::new(*last, 0), Wire { outlet, layout });
        self.replaced.extend(nodes);
        self.operators += 1;
        Ok(())
    }

    /// A transposition between the two layouts costs nothing: the tensor stays, and is seen differently.
    fn relabel(&mut self, id: usize) -> TractResult<bool> {
        let node = self.source.node(id);
        let (from, to) = match node.op_as::<AxisOp>() {
            Some(AxisOp::Move(3, 1)) => (Layout::First, Layout::Last),
            Some(AxisOp::Move(1, 3)) => (Layout::Last, Layout::First),
            _ => return Ok(false),
        };
        let is_map = self.source.outlet_fact(node.inputs[0])?.rank() == 4;
        let Some(wire) = self.wires.get(&node.inputs[0]).filter(|wire| wire.layout == from && is_map).copied() else { return Ok(false) };
        self.wires.insert(OutletId::new(id, 0), Wire { layout: to, ..wire });
        Ok(true)
    }

    fn copy(&mut self, id: usize) -> TractResult<()> {
        let node = self.source.node(id);
        let layout = if self.is_indifferent(id)? { Layout::Last } else { Layout::First };
        let inputs = node.inputs.iter().map(|input| self.wire(*input, layout)).collect::<TractResult<TVec<_>>>()?;
        let outlets = self.target.wire_node(&node.name, node.op.clone(), &inputs)?;
        for (slot, outlet) in outlets.into_iter().enumerate() {
            self.wires.insert(OutletId::new(id, slot), Wire { outlet, layout });
        }
        Ok(())
    }

    /// Whether a node does the same to each number, and takes one with its channels last.
    fn is_indifferent(&self, id: usize) -> TractResult<bool> {
        let node = self.source.node(id);
        if !(node.op_is::<TypedBinOp>() || node.op_is::<ElementWiseOp>()) {
            return Ok(false);
        }
        let shape = &node.outputs[0].fact.shape;
        let mut last = false;
        for input in &node.inputs {
            let fact = self.source.outlet_fact(*input)?;
            if fact.rank() != 4 || !(fact.shape == *shape || fact.shape.volume().is_one()) {
                return Ok(false);
            }
            last |= self.wires.get(input).is_some_and(|wire| wire.layout == Layout::Last);
        }
        Ok(last)
    }

    /// A tensor in the layout that is asked for, transposed if need be.
    fn wire(&mut self, outlet: OutletId, layout: Layout) -> TractResult<OutletId> {
        if !self.wires.contains_key(&outlet) {
            ensure!(read::is_constant(self.source, outlet.node), "{} is used before it is computed", self.source.node(outlet.node).name);
            self.copy(outlet.node)?;
        }
        let wire = self.wires[&outlet];
        let is_one = self.source.outlet_fact(outlet)?.shape.volume().is_one();
        if wire.layout == layout || is_one {
            return Ok(wire.outlet);
        }
        let (from, to) = if layout == Layout::Last { (1, 3) } else { (3, 1) };
        let name = self.target.unique_name(format!("{}.channels", self.source.node(outlet.node).name)).into_owned();
        Ok(self.target.wire_node(name, AxisOp::Move(from, to), &[wire.outlet])?[0])
    }

    fn ends(&mut self) -> TractResult<()> {
        let outputs = self.source.output_outlets()?.to_vec();
        let outputs = outputs.into_iter().map(|output| self.wire(output, Layout::First)).collect::<TractResult<Vec<_>>>()?;
        self.target.select_output_outlets(&outputs)
    }
}
