//! Where a network's time goes: each node of the fused network with its quickest run, its multiply-adds (as a plain sum would need
//! them) and their rate. Run by `cargo run --example profile -- MODEL.onnx 1,224,224,3 [AVX-512 | AVX2] [RUNS]`.

use std::str::FromStr as _;
use std::time::Instant;

use infer::{InstructionSet, fuse_for};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{DimLike as _, anyhow};
use tract_onnx::tract_core::ops::Cost;
use tract_onnx::tract_core::plan;

fn main() -> TractResult<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, shape, rest @ ..] = &*arguments else { return Err(anyhow!("MODEL.onnx SHAPE [INSTRUCTIONS] [RUNS] are expected")) };
    let shape = shape.split(',').map(usize::from_str).collect::<Result<TVec<_>, _>>()?;
    let set = match rest.first() {
        Some(name) => InstructionSet::ALL.into_iter().find(|set| set.to_string() == *name),
        None => InstructionSet::detect(),
    };
    let set = set.ok_or_else(|| anyhow!("no kernels exist for these instructions, or this CPU has none"))?;
    let runs = rest.get(1).map_or(Ok(100), |runs| runs.parse())?;
    let network = load(path, &shape, set)?;
    let numbers: Vec<f32> = (0..shape.iter().product::<usize>()).map(|index| (index * 7919 % 255) as f32 / 128.0 - 1.0).collect();
    let input: TValue = Tensor::from_shape(&shape, &numbers)?.into();
    let (whole, nodes) = measure(&network, &input, runs)?;
    report(&network, &nodes);
    println!("{whole:8.3} ms for the whole network, the quickest of {runs} runs with {set}");
    Ok(())
}

fn load(path: &str, shape: &[usize], set: InstructionSet) -> TractResult<Arc<TypedRunnableModel>> {
    let fact = InferenceFact::dt_shape(f32::datum_type(), shape);
    let typed = tract_onnx::onnx().model_for_path(path)?.with_input_fact(0, fact)?.into_typed()?;
    fuse_for(typed, set)?.model.into_optimized()?.into_runnable()
}

/// Milliseconds of the quickest run: of the whole network, and of each node by its id.
fn measure(network: &Arc<TypedRunnableModel>, input: &TValue, runs: usize) -> TractResult<(f64, Vec<f64>)> {
    let mut whole = f64::INFINITY;
    let mut nodes = vec![f64::INFINITY; network.model().nodes().len()];
    let mut state = network.spawn()?;
    for _ in 0..runs {
        let begin = Instant::now();
        network.run(tvec!(input.clone()))?;
        whole = whole.min(milliseconds(begin));
        state.run_plan_with_eval(tvec!(input.clone()), |context, state, node, inputs| {
            let begin = Instant::now();
            let outputs = plan::eval(context, state, node, inputs);
            nodes[node.id] = nodes[node.id].min(milliseconds(begin));
            outputs
        })?;
    }
    Ok((whole, nodes))
}

fn report(network: &TypedRunnableModel, nodes: &[f64]) {
    let model = network.model();
    for (node, time) in model.nodes().iter().zip(nodes).filter(|(_, time)| time.is_finite()) {
        let facts = model.node_input_facts(node.id).unwrap_or_default();
        let costs = node.op.cost(&facts).unwrap_or_default();
        let products: usize =
            costs.iter().filter(|(cost, _)| matches!(cost, Cost::FMA(_))).filter_map(|(_, count)| count.to_usize().ok()).sum();
        let shape = |fact: &TypedFact| format!("{:?}", fact.shape);
        let inputs: Vec<String> = facts.iter().map(|fact| shape(fact)).collect();
        let millions = products as f64 / 1e6;
        println!(
            "{time:8.3} ms {millions:7.1} M {:6.1} G/s  {:<22} {} → {}",
            millions / time,
            node.op.name(),
            inputs.join(" + "),
            shape(&node.outputs[0].fact)
        );
    }
    println!("{:8.3} ms in all", nodes.iter().filter(|time| time.is_finite()).sum::<f64>());
}

fn milliseconds(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1e3
}
