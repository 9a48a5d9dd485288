//! What goes over the wire: the requests that we send, and what we make of EC2's answers.
#![allow(clippy::unwrap_used)]

mod cloud;
mod orders;
mod pages;
mod script;
mod templates;

use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use ec2::{Ec2, Launch, Observer, Offering, Template, TemplateVersion};

/// Image of all launches here.
const IMAGE: &str = "ami-03cf127a";

/// What an observer heard: `action outcome`.
type Heard = Arc<Mutex<Vec<String>>>;

/// A client of the endpoint `url`, and what its observer hears.
fn client(url: &str) -> (Ec2, Heard) {
    let heard = Heard::default();
    let record = heard.clone();
    let observer: Observer = Arc::new(move |call| record.lock().unwrap().push(format!("{} {}", call.action, call.outcome)));
    let credentials = Credentials::new("test", "test", None, None, "ec2_wire");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials));
    (Ec2::observed(&config.build(), observer), heard)
}

fn template() -> Template {
    Template { name: "classifierfleet-uid-1".to_owned(), tags: tags(&[("classifierfleet:uid", "uid-1")]) }
}

fn version(revision: &str) -> TemplateVersion {
    TemplateVersion {
        revision: revision.to_owned(),
        image_id: IMAGE.to_owned(),
        instance_type: "t3.small".to_owned(),
        security_group_ids: Vec::new(),
        instance_profile: None,
        key_name: None,
        volume_gib: None,
        stop_on_shutdown: false,
        user_data: "#!/bin/sh\n".to_owned(),
    }
}

fn launch(token: &str, count: i32) -> Launch {
    Launch {
        token: token.to_owned(),
        template: template().name,
        template_version: 1,
        offering: Offering { instance_type: "t3a.small".to_owned(), subnet_id: Some("subnet-0123456789abcdef0".to_owned()), spot: false },
        count,
        tags: tags(&[("classifierfleet:uid", "uid-1"), ("classifierfleet:token", token)]),
    }
}

fn tags(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
