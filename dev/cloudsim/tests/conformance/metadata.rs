//! IMDSv2 of one instance, as its guest sees it.

use aws_sdk_ec2::types::{
    HttpTokensState, IamInstanceProfileSpecification, InstanceMetadataOptionsRequest, InstanceMetadataTagsState, InstanceType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode};

use crate::backend::{IMAGE, Lab, wait_until};
use crate::cases::{ids, instance_tags, launch, tag};

const TOKEN: &str = "X-aws-ec2-metadata-token";
const TTL: &str = "X-aws-ec2-metadata-token-ttl-seconds";

/// An instance with all that metadata can show, and where it is served.
struct Subject {
    lab: Lab,
    id: String,
    url: String,
}

impl Subject {
    async fn boot(instance_type: InstanceType, tags_enabled: bool) -> Self {
        let lab = Lab::start().await;
        let backend = lab.backend();
        let mut options = InstanceMetadataOptionsRequest::builder().http_tokens(HttpTokensState::Required);
        if tags_enabled {
            options = options.instance_metadata_tags(InstanceMetadataTagsState::Enabled);
        }
        let request = launch(&backend, 1)
            .instance_type(instance_type)
            .metadata_options(options.build())
            .tag_specifications(instance_tags(&[("Name", "worker 1"), ("classifierfleet:intent", "keep")]))
            .iam_instance_profile(IamInstanceProfileSpecification::builder().name("worker-role").build())
            .user_data(STANDARD.encode("#!/bin/sh\necho hello\n"));
        let id = ids(request.send().await.unwrap().instances()).remove(0);
        let url = Self::url(&lab).await;
        Self { lab, id, url }
    }

    async fn url(lab: &Lab) -> String {
        wait_until("the metadata service is up", || async { lab.admin("instances").await[0]["metadataUrl"].is_string() }).await;
        lab.admin("instances").await[0]["metadataUrl"].as_str().unwrap().to_owned()
    }

    async fn token(&self) -> String {
        let request = Client::new().put(format!("{}latest/api/token", self.url)).header(TTL, "60");
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        assert_eq!(answer.headers()[TTL], "60");
        answer.text().await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, String) {
        let request = Client::new().get(format!("{}latest/{path}", self.url)).header(TOKEN, self.token().await);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn text(&self, path: &str) -> String {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{path}");
        text
    }
}

#[tokio::test]
async fn tokens_are_given_and_demanded() {
    let subject = Subject::boot(InstanceType::T3Small, true).await;
    let client = Client::new();
    let put = || client.put(format!("{}latest/api/token", subject.url));
    let get = || client.get(format!("{}latest/meta-data/instance-id", subject.url));
    let cases = [
        (put(), 400),
        (put().header(TTL, "0"), 400),
        (put().header(TTL, "21601"), 400),
        (put().header(TTL, "soon"), 400),
        (put().header(TTL, "60").header("X-Forwarded-For", "10.0.0.1"), 403),
        (put().header(TTL, "21600"), 200),
        (get(), 401),
        (get().header(TOKEN, "made-up"), 401),
        (get().header(TOKEN, subject.token().await), 200),
        (client.post(&subject.url), 405),
    ];
    for (request, status) in cases {
        let request = request.build().unwrap();
        let what = format!("{} {} {:?}", request.method(), request.url(), request.headers());
        assert_eq!(client.execute(request).await.unwrap().status(), status, "{what}");
    }
    subject.lab.stop().await;
}

#[tokio::test]
async fn the_instance_knows_itself() {
    let subject = Subject::boot(InstanceType::T3Small, true).await;
    let cases = [
        ("meta-data/instance-id", subject.id.as_str()),
        ("meta-data/ami-id", IMAGE),
        ("meta-data/ami-launch-index", "0"),
        ("meta-data/instance-type", "t3.small"),
        ("meta-data/placement/region", "us-east-1"),
        ("meta-data/placement/availability-zone", "us-east-1a"),
        ("meta-data/iam/security-credentials/", "worker-role"),
        ("user-data", "#!/bin/sh\necho hello\n"),
    ];
    for (path, expected) in cases {
        assert_eq!(subject.text(path).await, expected, "{path}");
    }
    let address = subject.text("meta-data/local-ipv4").await;
    assert_eq!(subject.text("meta-data/hostname").await, format!("ip-{}.ec2.internal", address.replace('.', "-")));
    assert!(subject.text("meta-data/").await.lines().any(|line| line == "instance-id"));
    assert_eq!(subject.get("meta-data/spot/instance-action").await.0, 404);

    let json = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let identity = json(subject.text("dynamic/instance-identity/document").await);
    assert_eq!(identity["instanceId"], subject.id.as_str());
    assert_eq!(identity["region"], "us-east-1");
    let credentials = json(subject.text("meta-data/iam/security-credentials/worker-role").await);
    assert_eq!(credentials["Code"], "Success");
    assert!(credentials["Expiration"].is_string());
    assert_eq!(json(subject.text("meta-data/iam/info").await)["Code"], "Success");
    assert_eq!(subject.get("meta-data/iam/security-credentials/another").await.0, 404);
    subject.lab.stop().await;
}

#[tokio::test]
async fn changed_tags_show_at_once_on_nitro_only() {
    for (instance_type, shown) in [(InstanceType::T3Small, "drain"), (InstanceType::T2Micro, "keep")] {
        let subject = Subject::boot(instance_type.clone(), true).await;
        assert_eq!(subject.text("meta-data/tags/instance").await, "Name\nclassifierfleet:intent");
        assert_eq!(subject.text("meta-data/tags/instance/Name").await, "worker 1");
        assert_eq!(subject.text("meta-data/tags/instance/classifierfleet%3Aintent").await, "keep");
        let change = subject.lab.ec2.create_tags().resources(&subject.id).tags(tag("classifierfleet:intent", "drain"));
        change.send().await.unwrap();
        assert_eq!(subject.text("meta-data/tags/instance/classifierfleet:intent").await, shown, "{instance_type}");
        assert_eq!(subject.get("meta-data/tags/instance/missing").await.0, 404);
        subject.lab.stop().await;
    }
}

#[tokio::test]
async fn tags_are_not_served_unless_enabled() {
    let subject = Subject::boot(InstanceType::T3Small, false).await;
    for path in ["meta-data/tags/instance", "meta-data/tags/instance/Name"] {
        assert_eq!(subject.get(path).await.0, 404, "{path}");
    }
    subject.lab.stop().await;
}

#[tokio::test]
async fn the_service_ends_with_the_instance() {
    let subject = Subject::boot(InstanceType::T3Small, true).await;
    subject.lab.ec2.terminate_instances().instance_ids(&subject.id).send().await.unwrap();
    subject.lab.backend().wait_for_state(&subject.id, "terminated").await;
    assert!(Client::new().get(&subject.url).send().await.is_err());
    subject.lab.stop().await;
}
