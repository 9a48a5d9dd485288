//! Makes a failing script shorter while it still fails: what is left is what it takes.

use crate::script::Script;

/// The shortest script that still `fails`, found by leaving out faults and uploads one by one until none can be left out.
pub fn shrink(script: &Script, fails: impl Fn(&Script) -> bool) -> Script {
    let mut script = script.clone();
    loop {
        let Some(shorter) = shorter(&script).find(|shorter| fails(shorter)) else { return script };
        script = shorter;
    }
}

fn shorter(script: &Script) -> impl Iterator<Item = Script> {
    let without_fault = (0..script.faults.len()).rev().map(|index| {
        let mut shorter = script.clone();
        shorter.faults.remove(index);
        shorter
    });
    let without_late_fault = (0..script.faults_of_deletion.len()).rev().map(|index| {
        let mut shorter = script.clone();
        shorter.faults_of_deletion.remove(index);
        shorter
    });
    let without_uploads = (0..script.uploads.len()).rev().map(|index| {
        let mut shorter = script.clone();
        shorter.uploads.remove(index);
        shorter
    });
    let without_last = (script.last_uploads.0 > 0).then(|| Script { last_uploads: (0, script.last_uploads.1), ..script.clone() });
    without_late_fault.chain(without_fault).chain(without_uploads).chain(without_last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_needed_is_left_out() {
        let script = (0..).map(Script::draw).find(|script| script.faults.len() >= 3).unwrap();
        let culprit = script.faults[1].clone();
        let shrunk = shrink(&script, |script| script.faults.contains(&culprit));
        assert_eq!((shrunk.faults, shrunk.faults_of_deletion, shrunk.uploads), (vec![culprit], vec![], vec![]));
    }
}
