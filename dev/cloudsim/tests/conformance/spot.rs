//! What the spot market does, ordered through the control API and seen by the guest and by EC2's clients.

use reqwest::Method;
use serde_json::json;

use crate::backend::{Lab, wait_until};
use crate::cases::{ids, launched};
use crate::spot_cases::launch_spot;

/// A running spot instance, and where its metadata is served.
async fn spot(lab: &Lab) -> (String, String) {
    let id = ids(launch_spot(&lab.backend(), None).send().await.unwrap().instances()).remove(0);
    wait_until("the metadata service is up", || async { lab.admin("instances").await[0]["metadataUrl"].is_string() }).await;
    let url = lab.admin("instances").await[0]["metadataUrl"].as_str().unwrap().to_owned();
    (id, format!("{url}latest/meta-data/"))
}

async fn get(url: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_guest_is_told_and_then_taken() {
    let lab = Lab::start().await;
    let (id, url) = spot(&lab).await;
    assert_eq!(get(&url, "instance-life-cycle").await, (200, "spot".to_owned()));
    for path in ["spot/instance-action", "spot/termination-time", "spot/", "events/recommendations/rebalance"] {
        assert_eq!(get(&url, path).await.0, 404, "{path}");
    }
    assert_eq!(lab.order(Method::POST, &format!("instances/{id}/interrupt"), json!({"notice_seconds": 120})).await, 204);
    let (_, action) = get(&url, "spot/instance-action").await;
    let action: serde_json::Value = serde_json::from_str(&action).unwrap();
    let (_, time) = get(&url, "spot/termination-time").await;
    assert_eq!(action, json!({"action": "terminate", "time": time}));
    let left = time.parse::<jiff::Timestamp>().unwrap().duration_since(jiff::Timestamp::now());
    assert!(left.as_secs() <= 120, "{left:?}");
    assert!(get(&url, "events/recommendations/rebalance").await.1.contains("noticeTime"));
    assert!(get(&url, "").await.1.lines().any(|line| line == "spot/"));

    assert_eq!(lab.order(Method::POST, &format!("instances/{id}/interrupt"), json!({"notice_seconds": 0})).await, 204);
    lab.backend().wait_for_state(&id, "terminated").await;
    let instance = lab.backend().instance(&id).await;
    assert_eq!(instance.state_reason().unwrap().code(), Some("Server.SpotInstanceTermination"));
    lab.stop().await;
}

#[tokio::test]
async fn a_rebalance_recommendation_is_no_interruption() {
    let lab = Lab::start().await;
    let (id, url) = spot(&lab).await;
    assert_eq!(lab.order(Method::POST, &format!("instances/{id}/rebalance"), json!({})).await, 204);
    let (status, notice) = get(&url, "events/recommendations/rebalance").await;
    let notice: serde_json::Value = serde_json::from_str(&notice).unwrap();
    assert_eq!(status, 200);
    assert!(notice["noticeTime"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{notice}");
    assert_eq!(get(&url, "events/instance-action").await.0, 404);
    assert_eq!(get(&url, "spot/instance-action").await.0, 404);
    lab.stop().await;
}

#[tokio::test]
async fn what_cannot_be_interrupted_is_refused() {
    let lab = Lab::start().await;
    let id = launched(&lab.backend(), 1).await.remove(0);
    for verb in ["interrupt", "rebalance"] {
        assert_eq!(lab.order(Method::POST, &format!("instances/{id}/{verb}"), json!({})).await, 409, "{verb} of on-demand");
        assert_eq!(lab.order(Method::POST, &format!("instances/i-0/{verb}"), json!({})).await, 404, "{verb} of nothing");
    }
    for odd in [json!({"notice_seconds": -1}), json!({"notice_seconds": "soon"}), json!({"notice": 5})] {
        assert_eq!(lab.order(Method::POST, &format!("instances/{id}/interrupt"), odd.clone()).await, 400, "{odd}");
    }
    lab.stop().await;
}
