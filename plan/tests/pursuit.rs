//! What EC2's replies prove of an intent.
#![allow(clippy::unwrap_used)]

mod common;

use common::{ago, booting, intent, noon, start_intent};
use plan::{Instance, Intent, Inventory, Next, Pursuit, Question, Reply};

/// An intent for two instances that EC2 was asked for so many seconds ago; none: never.
fn pursuit(intent: &Intent, asked: Option<i64>) -> Pursuit<'_> {
    Pursuit { intent, asked_before: asked.map(ago), paused: false, closed: false, deleting: false, now: noon() }
}

fn listed(ids: &[&str]) -> Inventory {
    let instance = |id: &&str| Instance { token: "t".to_owned(), ..booting(id, 5) };
    Inventory { at: noon(), instances: ids.iter().map(instance).collect() }
}

fn names(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

#[test]
fn a_whole_launch_in_a_list_is_an_answer_and_a_part_of_it_is_none() {
    let intent = intent("t", 2, 10, &[]);
    let pursuit = pursuit(&intent, Some(10));
    assert_eq!(pursuit.begin(Some(&listed(&["i-1", "i-2"]))), Next::Done(names(&["i-1", "i-2"])));
    assert_eq!(pursuit.begin(Some(&listed(&["i-1"]))), Next::Ask(Question::Launch));
    assert_eq!(pursuit.begin(None), Next::Ask(Question::Launch));
}

#[test]
fn whoever_asks_again_writes_so_before() {
    let intent = intent("t", 2, 0, &[]);
    let [first, again] = [None, Some(0)].map(|asked| pursuit(&intent, asked));
    assert!(!first.must_be_written(&Next::Ask(Question::Launch)), "the intent itself was written");
    assert!(again.must_be_written(&Next::Ask(Question::Launch)), "who was refused first may have dropped it since");
    assert!(!again.must_be_written(&Next::Ask(Question::Listed)) && !again.must_be_written(&Next::Void));
}

#[test]
fn a_refusal_proves_something_to_the_first_alone() {
    let intent = intent("t", 2, 200, &[]);
    assert_eq!(pursuit(&intent, None).after(Reply::Refused), Next::Void);
    let again = pursuit(&intent, Some(10));
    assert_eq!(again.after(Reply::Refused), Next::Ask(Question::Listed));
    assert_eq!(again.after(Reply::Lists(vec![])), Next::Open { asked_at: ago(10) }, "lists may lag");
    assert_eq!(again.after(Reply::Lists(names(&["i-1"]))), Next::Open { asked_at: ago(10) });
    assert_eq!(again.after(Reply::Lists(names(&["i-1", "i-2"]))), Next::Done(names(&["i-1", "i-2"])));
    let late = pursuit(&intent, Some(121));
    assert_eq!(late.after(Reply::Lists(vec![])), Next::Void);
    assert_eq!(late.after(Reply::Lists(names(&["i-1"]))), Next::Done(names(&["i-1"])), "that is all there is");
}

#[test]
fn silence_begins_the_time_anew_and_a_busy_ec2_does_not() {
    let intent = intent("t", 2, 100, &[]);
    let pursuit = pursuit(&intent, Some(100));
    assert_eq!(pursuit.after(Reply::Silence), Next::Open { asked_at: noon() });
    assert_eq!(pursuit.after(Reply::Busy), Next::Open { asked_at: ago(100) });
    assert_eq!(pursuit.after(Reply::Over), Next::Void);
}

#[test]
fn where_ec2_has_no_room_it_is_not_asked_again_but_looked_up() {
    let intent = intent("t", 2, 10, &[]);
    let closed = Pursuit { closed: true, ..pursuit(&intent, Some(10)) };
    assert_eq!(closed.begin(None), Next::Ask(Question::Listed));
    assert_eq!(Pursuit { deleting: true, ..closed }.begin(None), Next::Ask(Question::Listed), "deletion launches nothing");
    assert_eq!(Pursuit { paused: true, ..closed }.begin(None), Next::Open { asked_at: ago(10) });
    assert_eq!(Pursuit { asked_before: None, ..closed }.begin(None), Next::Ask(Question::Launch), "the plan knew");
}

#[test]
fn a_start_that_is_not_asked_for_again_may_come_until_lists_must_show_it() {
    let intent = start_intent("s", 10, false, &["i-1"]);
    for (asked, next) in [(10, Next::Open { asked_at: ago(10) }), (121, Next::Void)] {
        assert_eq!(Pursuit { deleting: true, ..pursuit(&intent, Some(asked)) }.begin(None), next);
        assert_eq!(pursuit(&intent, Some(asked)).after(Reply::Refused), next);
    }
}
