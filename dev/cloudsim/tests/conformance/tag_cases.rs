//! CreateTags, DeleteTags, DescribeTags, and which tags may be.

use aws_sdk_ec2::types::{InstanceMetadataOptionsRequest, InstanceMetadataTagsState};

use crate::backend::{Backend, code};
use crate::cases::{Case, case, filter, ids, instance_tags, launch, launched, shown, tag};

const NO_CHECK: &str = "EC2: \"Tag your Amazon EC2 resources, tag restrictions\"; moto does not check it";

pub(crate) fn all() -> Vec<Case> {
    vec![
        case!(tags_overwrite, "Name=new,fleet=a"),
        case!(
            tags_of_unknown,
            "InvalidInstanceID.NotFound, and nothing tagged",
            moto "OK, and Name=x tagged",
            because "EC2: the resource must exist; moto tags what is not there"
        ),
        case!(tags_of_nonsense, "InvalidID"),
        case!(tag_reserved, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(tag_key_too_long, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(fifty_tags, "OK, OK, TagLimitExceeded"),
        case!(served_key_in_launch, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(served_key_in_create_tags, "OK, InvalidParameterValue", moto "OK, OK", because NO_CHECK),
        case!(unserved_key, "OK"),
        case!(delete_by_key_and_value, "b=2"),
        case!(
            delete_all,
            "",
            moto "a=1,b=2",
            because "EC2: \"if you omit this parameter, we delete all user-defined tags\"; moto deletes none"
        ),
        case!(describe_tags, "instance Name=x"),
        case!(volume_tags, "volume disk=yes"),
    ]
}

async fn tags_overwrite(backend: Backend) -> String {
    let request = launch(&backend, 1).tag_specifications(instance_tags(&[("Name", "old"), ("fleet", "a")]));
    let id = ids(request.send().await.unwrap().instances()).remove(0);
    create(&backend, &id, &[("Name", "new")]).await;
    shown(backend.instance(&id).await.tags())
}

async fn tags_of_unknown(backend: Backend) -> String {
    let id = launched(&backend, 1).await.remove(0);
    let request = backend.ec2.create_tags().resources(&id).resources("i-0123456789abcdef0").tags(tag("Name", "x"));
    let code = code(&request.send().await);
    let tagged = shown(backend.instance(&id).await.tags());
    format!("{code}, and {} tagged", if tagged.is_empty() { "nothing" } else { &tagged })
}

async fn tags_of_nonsense(backend: Backend) -> String {
    create(&backend, "nonsense", &[("Name", "x")]).await
}

async fn tag_reserved(backend: Backend) -> String {
    create_on_new(&backend, "aws:own").await
}

async fn tag_key_too_long(backend: Backend) -> String {
    create_on_new(&backend, &"k".repeat(129)).await
}

async fn fifty_tags(backend: Backend) -> String {
    let id = launched(&backend, 1).await.remove(0);
    let keys: Vec<String> = (0..50).map(|n| format!("key-{n}")).collect();
    let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "v")).collect();
    let all = create(&backend, &id, &tags).await;
    let again = create(&backend, &id, &[("key-7", "other")]).await;
    let more = create(&backend, &id, &[("one-more", "v")]).await;
    format!("{all}, {again}, {more}")
}

async fn served_key_in_launch(backend: Backend) -> String {
    code(&launch(&backend, 1).metadata_options(served()).tag_specifications(instance_tags(&[("a/b", "v")])).send().await)
}

async fn served_key_in_create_tags(backend: Backend) -> String {
    let answer = launch(&backend, 1).metadata_options(served()).send().await.unwrap();
    let id = ids(answer.instances()).remove(0);
    format!("{}, {}", create(&backend, &id, &[("a:b+-=._,@", "v")]).await, create(&backend, &id, &[("a b", "v")]).await)
}

async fn unserved_key(backend: Backend) -> String {
    create_on_new(&backend, "a/b c").await
}

async fn delete_by_key_and_value(backend: Backend) -> String {
    let id = launched(&backend, 1).await.remove(0);
    create(&backend, &id, &[("a", "1"), ("b", "2")]).await;
    let by_key = aws_sdk_ec2::types::Tag::builder().key("a").build();
    let request = backend.ec2.delete_tags().resources(&id).tags(by_key).tags(tag("b", "another"));
    request.send().await.unwrap();
    shown(backend.instance(&id).await.tags())
}

async fn delete_all(backend: Backend) -> String {
    let id = launched(&backend, 1).await.remove(0);
    create(&backend, &id, &[("a", "1"), ("b", "2")]).await;
    backend.ec2.delete_tags().resources(&id).send().await.unwrap();
    shown(backend.instance(&id).await.tags())
}

async fn describe_tags(backend: Backend) -> String {
    let ids = launched(&backend, 2).await;
    for id in &ids {
        create(&backend, id, &[("Name", "x"), ("other", "y")]).await;
    }
    described(&backend, &[("resource-id", &ids[0]), ("key", "Na*")]).await
}

async fn volume_tags(backend: Backend) -> String {
    let volume = aws_sdk_ec2::types::TagSpecification::builder().resource_type(aws_sdk_ec2::types::ResourceType::Volume);
    let request = launch(&backend, 1).tag_specifications(volume.tags(tag("disk", "yes")).build());
    request.send().await.unwrap();
    described(&backend, &[("key", "disk")]).await
}

async fn described(backend: &Backend, filters: &[(&str, &str)]) -> String {
    let filters = filters.iter().map(|(name, value)| filter(name, &[value])).collect();
    let answer = backend.ec2.describe_tags().set_filters(Some(filters)).send().await.unwrap();
    let rows = answer.tags().iter().map(|row| {
        let kind = row.resource_type().unwrap();
        format!("{kind} {}={}", row.key().unwrap(), row.value().unwrap())
    });
    rows.collect::<Vec<_>>().join(", ")
}

async fn create(backend: &Backend, id: &str, tags: &[(&str, &str)]) -> String {
    let tags = tags.iter().map(|(key, value)| tag(key, value)).collect();
    code(&backend.ec2.create_tags().resources(id).set_tags(Some(tags)).send().await)
}

async fn create_on_new(backend: &Backend, key: &str) -> String {
    let id = launched(backend, 1).await.remove(0);
    create(backend, &id, &[(key, "v")]).await
}

fn served() -> InstanceMetadataOptionsRequest {
    InstanceMetadataOptionsRequest::builder().instance_metadata_tags(InstanceMetadataTagsState::Enabled).build()
}
