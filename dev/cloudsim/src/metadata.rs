//! Owns what the instance metadata service (IMDSv2) answers, as "Use the Instance Metadata Service" documents it.
//! Knows nothing of HTTP servers or clocks.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::state::{ACCOUNT, Instance};

/// Sessions last up to six hours.
const TTL_SECONDS: std::ops::RangeInclusive<i64> = 1..=21_600;
const TOKEN_PATH: &str = "/latest/api/token";

/// One request to the service.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// `X-aws-ec2-metadata-token`
    pub(crate) token: Option<&'a str>,
    /// `X-aws-ec2-metadata-token-ttl-seconds`
    pub(crate) ttl: Option<&'a str>,
    /// Whether `X-Forwarded-For` is there: a token is never given through a proxy.
    pub(crate) forwarded: bool,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// For how many seconds a token that was given holds.
    pub(crate) ttl: Option<i64>,
}

/// The sessions of one instance.
#[derive(Debug, Default)]
pub(crate) struct Sessions(HashMap<String, Timestamp>);

impl Sessions {
    /// Answers one request about `instance`. `fresh` is a token nobody had before, in case one is asked for.
    pub(crate) fn answer(&mut self, request: Request<'_>, instance: &Instance, region: &str, fresh: String, now: Timestamp) -> Response {
        if instance.spec.metadata.endpoint_enabled == Some(false) {
            return status(403);
        }
        match request.method {
            "PUT" if request.path == TOKEN_PATH => self.open(request, fresh, now),
            "GET" | "HEAD" => {
                if let Err(refused) = self.admit(request.token, instance, now) {
                    return refused;
                }
                document(request.path, instance, region, now).map_or_else(|| status(404), text)
            }
            _ => status(405),
        }
    }

    fn open(&mut self, request: Request<'_>, fresh: String, now: Timestamp) -> Response {
        if request.forwarded {
            return status(403);
        }
        let ttl = request.ttl.and_then(|ttl| ttl.parse().ok()).filter(|ttl| TTL_SECONDS.contains(ttl));
        let Some(ttl) = ttl else {
            return status(400);
        };
        self.0.retain(|_, until| *until > now);
        self.0.insert(fresh.clone(), now + SignedDuration::from_secs(ttl));
        Response { ttl: Some(ttl), ..text(fresh) }
    }

    fn admit(&self, token: Option<&str>, instance: &Instance, now: Timestamp) -> Result<(), Response> {
        match token {
            Some(token) if self.0.get(token).is_some_and(|until| *until > now) => Ok(()),
            Some(_) => Err(status(401)),
            None if instance.spec.metadata.tokens_required == Some(true) => Err(status(401)),
            None => Ok(()),
        }
    }
}

fn status(status: u16) -> Response {
    Response { status, body: String::new(), ttl: None }
}

fn text(body: String) -> Response {
    Response { status: 200, body, ttl: None }
}

fn document(path: &str, instance: &Instance, region: &str, now: Timestamp) -> Option<String> {
    if let Some(path) = path.strip_prefix("/latest/meta-data") {
        return meta_data(path.trim_start_matches('/'), instance, region, now);
    }
    match path.trim_end_matches('/') {
        "/latest" => Some("dynamic\nmeta-data\nuser-data".to_owned()),
        "/latest/user-data" => user_data(instance),
        "/latest/dynamic/instance-identity/document" => Some(identity(instance, region)),
        _ => None,
    }
}

fn meta_data(path: &str, instance: &Instance, region: &str, now: Timestamp) -> Option<String> {
    if let Some(below) = path.strip_prefix("tags/") {
        return tags(below, instance);
    }
    if let Some(below) = path.strip_prefix("iam/") {
        return iam(below, instance, now);
    }
    if path.starts_with("spot") || path.starts_with("events") {
        return spot_signal(path.trim_end_matches('/'), instance);
    }
    Some(match path.trim_end_matches('/') {
        "" => listing(instance),
        "ami-id" => instance.image_id().to_owned(),
        "ami-launch-index" => instance.launch_index.to_string(),
        "hostname" | "local-hostname" => instance.private_dns(),
        "instance-id" => instance.id.clone(),
        "instance-life-cycle" => if instance.is_spot() { "spot" } else { "on-demand" }.to_owned(),
        "instance-type" => instance.instance_type().to_owned(),
        "local-ipv4" => instance.private_ip.clone(),
        "placement" => "availability-zone\nregion".to_owned(),
        "placement/availability-zone" => instance.zone.clone(),
        "placement/region" => region.to_owned(),
        "reservation-id" => instance.reservation_id.clone(),
        _ => return None,
    })
}

fn listing(instance: &Instance) -> String {
    let mut names = vec!["ami-id", "ami-launch-index"];
    if instance.rebalance_since.is_some() {
        names.push("events/");
    }
    names.push("hostname");
    if instance.profile().is_some() {
        names.push("iam/");
    }
    names.extend(["instance-id", "instance-life-cycle", "instance-type", "local-hostname", "local-ipv4"]);
    names.extend(["placement/", "reservation-id"]);
    if instance.interrupted_at.is_some() {
        names.push("spot/");
    }
    if instance.served_tags().is_some() {
        names.push("tags/");
    }
    names.join("\n")
}

/// What the spot market announces, below `spot/` and `events/`: nothing is there before it does.
fn spot_signal(path: &str, instance: &Instance) -> Option<String> {
    let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (interrupted, rebalance) = (instance.interrupted_at.map(time), instance.rebalance_since.map(time));
    match path {
        "spot" => interrupted.map(|_| "instance-action\ntermination-time".to_owned()),
        "spot/instance-action" => interrupted.map(|time| json!({ "action": "terminate", "time": time }).to_string()),
        "spot/termination-time" => interrupted,
        "events" => rebalance.map(|_| "recommendations/".to_owned()),
        "events/recommendations" => rebalance.map(|_| "rebalance".to_owned()),
        "events/recommendations/rebalance" => rebalance.map(|time| json!({ "noticeTime": time }).to_string()),
        _ => None,
    }
}

fn tags(path: &str, instance: &Instance) -> Option<String> {
    let tags = instance.served_tags()?;
    let key = match path.trim_end_matches('/') {
        "" => return Some("instance/".to_owned()),
        "instance" => return Some(tags.keys().map(String::as_str).collect::<Vec<_>>().join("\n")),
        path => path.strip_prefix("instance/")?,
    };
    let key = percent_decode_str(key).decode_utf8().ok()?;
    tags.get(key.as_ref()).cloned()
}

fn iam(path: &str, instance: &Instance, now: Timestamp) -> Option<String> {
    let (arn, role) = instance.profile()?;
    let updated = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    match path.trim_end_matches('/') {
        "" => Some("info\nsecurity-credentials/".to_owned()),
        "info" => {
            let info = json!({
                "Code": "Success",
                "LastUpdated": updated,
                "InstanceProfileArn": arn,
                "InstanceProfileId": "AIPAAAAAAAAAAAAAAAAAA",
            });
            Some(info.to_string())
        }
        "security-credentials" => Some(role),
        path => (path.strip_prefix("security-credentials/")? == role).then(|| credentials(&updated, now)),
    }
}

fn credentials(updated: &str, now: Timestamp) -> String {
    let expiration = now + SignedDuration::from_hours(6);
    let credentials = json!({
        "Code": "Success",
        "LastUpdated": updated,
        "Type": "AWS-HMAC",
        "AccessKeyId": "test",
        "SecretAccessKey": "test",
        "Token": "test",
        "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    });
    credentials.to_string()
}

fn user_data(instance: &Instance) -> Option<String> {
    use base64::Engine;
    let raw = base64::engine::general_purpose::STANDARD.decode(instance.spec.user_data.as_ref()?).ok()?;
    Some(String::from_utf8_lossy(&raw).into_owned())
}

fn identity(instance: &Instance, region: &str) -> String {
    let document = json!({
        "accountId": ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": instance.zone,
        "imageId": instance.image_id(),
        "instanceId": instance.id,
        "instanceType": instance.instance_type(),
        "pendingTime": instance.launched_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "privateIp": instance.private_ip,
        "region": region,
        "version": "2017-09-30",
    });
    document.to_string()
}
