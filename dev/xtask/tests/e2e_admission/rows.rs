//! What is changed of the example fleet, and what the API server must say to it: a row for each rule of each file of `crds`.

use serde_json::{Value, json};

/// A change of the fleet, and words that the refusal must hold.
pub struct Row(pub Value, pub &'static str);

fn rows<const N: usize>(rows: [(Value, &'static str); N]) -> impl Iterator<Item = Row> {
    rows.into_iter().map(|(spec, sentence)| Row(json!({ "spec": spec }), sentence))
}

/// Changes that make the fleet wrong.
pub fn refused() -> Vec<Row> {
    let all = names().chain(fleet()).chain(storage_and_model()).chain(queues()).chain(scaling());
    all.chain(workers()).chain(images()).chain(binaries()).chain(places()).chain(gateway()).collect()
}

fn names() -> impl Iterator<Item = Row> {
    let rows = [
        ("Imagenet", "lower case"),
        ("imagenet-of-a-name-that-is-far-too-long-for-pods", "metadata.name must be 1 to 40 lower-case letters, digits and '-'"),
        ("4imagenet", "begin with a letter and not end with '-'"),
        ("image.net", "the fleet's Service and pods are named after it"),
    ];
    rows.into_iter().map(|(name, sentence)| Row(json!({"metadata": {"name": name}}), sentence))
}

fn fleet() -> impl Iterator<Item = Row> {
    rows([
        (json!({"region": "Virginia"}), "region must be an AWS region such as us-east-1"),
        (json!({"region": "us-east-1a"}), "region must be an AWS region such as us-east-1"),
        (json!({"endpointUrl": "proxy:4566"}), "endpointUrl must be a URL without a path, such as https://proxy.example:4566"),
        (json!({"endpointUrl": "http://proxy/ec2"}), "endpointUrl must be a URL without a path"),
        (json!({"tracing": {"otlpEndpoint": "collector:4318"}}), "tracing.otlpEndpoint must be a URL that takes OTLP over HTTP"),
        (json!({"tracing": {"otlpEndpoint": "http://a\nb"}}), "such as http://collector.example:4318"),
        (json!({"tracing": {"samplingRatio": 1}}), "spec.tracing.otlpEndpoint: Required value"),
        (json!({"scaling": {"fallback": {"workers": 6}}}), "scaling.fallback.workers must not be above workers.max: lower it or raise max"),
        (json!({"queues": null}), "spec.queues: Required value"),
        (json!({"storage": null}), "spec.storage: Required value"),
        (json!({"model": null}), "spec.model: Required value"),
        (json!({"workers": null}), "spec.workers: Required value"),
        (json!({"colour": "red"}), r#"unknown field "spec.colour""#),
        (json!({"workers": {"maximum": 5}}), r#"unknown field "spec.workers.maximum""#),
    ])
}

fn storage_and_model() -> impl Iterator<Item = Row> {
    const BUCKET: &str = "a bucket name has 3 to 63 lower-case letters, digits, '.' and '-', begins and ends with a letter or digit";
    const MODEL: &str = "uri must name a model folder as s3://BUCKET/PREFIX or file:///FOLDER";
    rows([
        (json!({"storage": {"inputBucket": "Imagenet_in"}}), BUCKET),
        (json!({"storage": {"outputBucket": "im"}}), BUCKET),
        (json!({"storage": {"outputBucket": "-out"}}), BUCKET),
        (json!({"storage": {"inputBucket": "imagenet..in"}}), "has no two dots in a row and is no IP address"),
        (json!({"storage": {"inputBucket": "192.168.0.1"}}), "has no two dots in a row and is no IP address"),
        (json!({"storage": {"inputBucket": "imagenet-out"}}), "inputBucket and outputBucket must differ: name two buckets"),
        (json!({"storage": {"inputBucket": null}}), "spec.storage.inputBucket: Required value"),
        (json!({"storage": {"outputBucket": null}}), "spec.storage.outputBucket: Required value"),
        (json!({"model": {"uri": "https://example.com/model"}}), MODEL),
        (json!({"model": {"uri": "s3://imagenet-models"}}), MODEL),
        (json!({"model": {"uri": "file:///"}}), MODEL),
        (json!({"model": {"uri": null}}), "spec.model.uri: Required value"),
    ])
}

fn queues() -> impl Iterator<Item = Row> {
    const DIFFERENT: &str = "request, response and deadLetter must be three different queues";
    const FIFO: &str = "with fifo true, end request.name and deadLetter.name with .fifo; without it, do not";
    const NAME: &str = "a queue name may have letters, digits, '-' and '_' only, and the ending .fifo for a FIFO queue";
    const REPLY: &str = "request and deadLetter must not be called <response>-<number>: that is the reply queue of a gateway replica";
    rows([
        (json!({"queues": {"request": {"name": "imagenet-responses"}}}), DIFFERENT),
        (json!({"queues": {"deadLetter": {"name": "imagenet-responses"}}}), DIFFERENT),
        (json!({"queues": {"deadLetter": {"name": "imagenet-requests"}}}), DIFFERENT),
        (json!({"queues": {"request": {"name": "imagenet-responses-0"}}}), REPLY),
        (json!({"queues": {"deadLetter": {"name": "imagenet-responses-12"}}}), REPLY),
        (json!({"queues": {"request": {"name": "requests.fifo"}}}), FIFO),
        (json!({"queues": {"fifo": true}}), FIFO),
        (json!({"queues": {"fifo": true, "request": {"name": "r.fifo"}, "deadLetter": {"name": "dead"}}}), FIFO),
        (json!({"queues": {"response": {"name": "responses.fifo"}}}), "name response.name without .fifo"),
        (json!({"queues": {"request": {"name": "imagenet requests"}}}), NAME),
        (json!({"queues": {"response": {"name": "https://sqs/1/responses"}}}), NAME),
        (json!({"queues": {"deadLetter": {"name": "dead.letters"}}}), NAME),
        (json!({"queues": {"request": null}}), "spec.queues.request: Required value"),
        (json!({"queues": {"response": null}}), "spec.queues.response: Required value"),
        (json!({"queues": {"request": {"name": null}}}), "spec.queues.request.name: Required value"),
    ])
}

fn scaling() -> impl Iterator<Item = Row> {
    const ONE: &str = "give exactly one of messagesPerWorker and drainSeconds";
    let policy = |policy: Value| json!({"scaling": {"behavior": {"scaleUp": {"policies": [policy]}}}});
    rows([
        (json!({"scaling": {"target": {"drainSeconds": 60}}}), ONE),
        (json!({"scaling": {"target": {"messagesPerWorker": null}}}), ONE),
        (json!({"scaling": {"target": {"messagesPerWorkers": 10}}}), r#"unknown field "spec.scaling.target.messagesPerWorkers""#),
        (policy(json!({"value": 1, "periodSeconds": 1})), "type: Required value"),
        (policy(json!({"type": "Pods", "periodSeconds": 1})), "value: Required value"),
        (policy(json!({"type": "Pods", "value": 1})), "periodSeconds: Required value"),
    ])
}

fn workers() -> impl Iterator<Item = Row> {
    rows([
        (json!({"workers": {"min": 6}}), "min must not be above max: lower min or raise max"),
        (json!({"workers": {"max": null}}), "spec.workers.max: Required value"),
        (json!({"workers": {"max": "five"}}), "spec.workers.max in body must be of type integer"),
        (json!({"workers": {"warmPool": {"prepared": 1}}}), "prepared must not be above max: lower prepared or raise max"),
        (
            json!({"workers": {"update": {"maxUnavailable": 0, "maxSurge": 0}}}),
            "maxUnavailable and maxSurge must not both be 0: nothing could be replaced",
        ),
        (json!({"workers": {"template": null}}), "spec.workers.template: Required value"),
        (json!({"workers": {"template": {"instanceTypes": null}}}), "spec.workers.template.instanceTypes: Required value"),
    ])
}

fn images() -> impl Iterator<Item = Row> {
    const ONE: &str = "give exactly one of imageId (an AMI) and imageParameter (an SSM parameter that names one)";
    const AMI: &str = "imageId must be an AMI's id such as ami-0123456789abcdef0";
    const PARAMETER: &str = "imageParameter must be an SSM parameter's name such as /my/ami";
    const USER_DATA: &str = "leave out the #! line";
    let template = |template: Value| json!({"workers": {"template": template}});
    rows([
        (template(json!({"imageId": null})), ONE),
        (template(json!({"imageParameter": "/my/ami"})), ONE),
        (template(json!({"imageId": "ubuntu"})), AMI),
        (template(json!({"imageId": "ami-0123"})), AMI),
        (template(json!({"imageId": null, "imageParameter": "resolve:ssm:/my/ami"})), PARAMETER),
        (template(json!({"imageId": null, "imageParameter": "/my ami"})), PARAMETER),
        (template(json!({"userData": "#!/bin/bash\nmount -a"})), USER_DATA),
        (template(json!({"userData": "#!/usr/bin/env python3\n"})), USER_DATA),
        (template(json!({"userData": "echo \u{1b}[1m"})), "userData must be text without control characters"),
    ])
}

fn binaries() -> impl Iterator<Item = Row> {
    const URI: &str = "binary.uri must be s3://bucket/key";
    const SHA256: &str = "binary.sha256 must be 64 digits, 0-9 and a-f";
    let template = |uri: &str, sha256: &str| json!({"workers": {"template": {"binary": {"uri": uri, "sha256": sha256}}}});
    let (uri, sha256) = ("s3://programs/worker", "0a".repeat(32));
    let crowded = json!({"workers": {"template": {"binary": {"uri": uri, "sha256": sha256}, "userData": "#".repeat(6145)}}});
    rows([
        (template("https://programs/worker", &sha256), URI),
        (template("s3://programs", &sha256), URI),
        (template("s3://programs/the worker", &sha256), URI),
        (template(uri, "0a"), SHA256),
        (template(uri, &"0A".repeat(32)), SHA256),
        (crowded, "with binary, userData must not be longer than 6144 characters"),
    ])
}

fn places() -> impl Iterator<Item = Row> {
    const SUBNET: &str = "a subnet id looks like subnet-0123456789abcdef0";
    const GROUP: &str = "a security group id looks like sg-0123456789abcdef0";
    const TWICE: &str = "name nothing twice in instanceTypes, subnetIds and securityGroupIds";
    const PROFILE: &str = "instanceProfile must be the name of an instance profile, not its ARN";
    let template = |template: Value| json!({"workers": {"template": template}});
    let (subnet, group) = ("subnet-01234567", "sg-01234567");
    rows([
        (template(json!({"instanceTypes": ["small"]})), "an instance type looks like t3.small"),
        (template(json!({"instanceTypes": ["t3.small", "T3.LARGE"]})), "an instance type looks like t3.small"),
        (template(json!({"instanceTypes": ["t3.small", "c6a.large", "t3.small"]})), TWICE),
        (template(json!({"subnetIds": ["my-subnet"]})), SUBNET),
        (template(json!({"subnetIds": [subnet, "vpc-01234567"]})), SUBNET),
        (template(json!({"subnetIds": [subnet, subnet]})), TWICE),
        (template(json!({"securityGroupIds": ["default"]})), GROUP),
        (template(json!({"securityGroupIds": [group, group]})), TWICE),
        (template(json!({"instanceProfile": "arn:aws:iam::123456789012:instance-profile/worker"})), PROFILE),
        (template(json!({"capacity": {"onDemand": true}})), r#"unknown field "spec.workers.template.capacity.onDemand""#),
    ])
}

fn gateway() -> impl Iterator<Item = Row> {
    const ORIGIN: &str = "cors.allowedOrigins must hold origins such as https://photos.example:8443, without a path, or '*' for all";
    const TOKEN: &str = "tokenSecret.name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as gateway-token";
    const KEY: &str = "tokenSecret.key must be a key of the Secret's data: letters, digits, '-', '_' and '.', such as token";
    const TLS: &str = "tlsSecret.name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as gateway-tls";
    let token = |name: &str, key: &str| json!({"gateway": {"tokenSecret": {"name": name, "key": key}}});
    let origin = |origin: &str| json!({"gateway": {"cors": {"allowedOrigins": ["https://a.example", origin]}}});
    rows([
        (token("Gateway_Token", "token"), TOKEN),
        (token("gateway-token", "the token"), KEY),
        (token("gateway-token", ".."), KEY),
        (token("gateway-token", "../token"), KEY),
        (json!({"gateway": {"tokenSecret": {"key": "token"}}}), "spec.gateway.tokenSecret.name: Required value"),
        (json!({"gateway": {"tlsSecret": {"name": "gateway/tls"}}}), TLS),
        (json!({"gateway": {"tlsSecret": {}}}), "spec.gateway.tlsSecret.name: Required value"),
        (origin("photos.example"), ORIGIN),
        (origin("https://photos.example/"), ORIGIN),
        (origin("https://*.example"), ORIGIN),
        (origin("null"), ORIGIN),
        (json!({"gateway": {"cors": {}}}), "spec.gateway.cors.allowedOrigins: Required value"),
        (json!({"gateway": {"resultCache": {"ttlSeconds": 60}}}), "spec.gateway.resultCache.maxEntries: Required value"),
        (json!({"gateway": {"podTemplate": {"resources": {}}}}), r#"unknown field "spec.gateway.podTemplate.resources""#),
        (json!({"gateway": {"podTemplate": "none"}}), "spec.gateway.podTemplate in body must be of type object"),
        (
            json!({"gateway": {"serviceAccountAnnotations": {"a": 1}}}),
            "spec.gateway.serviceAccountAnnotations.a in body must be of type string",
        ),
        (json!({"gateway": {"ports": []}}), r#"unknown field "spec.gateway.ports""#),
    ])
}

/// Changes of a fleet that exists, by its name, which make it wrong.
pub fn changes() -> Vec<(&'static str, Row)> {
    const QUEUES: &str = "queue names cannot be changed, jobs may wait in them: apply a fleet of another name instead";
    const BUCKETS: &str =
        "the buckets of a fleet cannot be changed, its images and results lie there: apply a fleet of another name instead";
    const REGION: &str = "region cannot be changed, the fleet's queues, buckets and instances are there";
    const ENDPOINT: &str = "endpointUrl cannot be changed, the fleet's queues, buckets and instances are there";
    let rows = [
        ("here", json!({"queues": {"request": {"name": "others"}}}), QUEUES),
        ("here", json!({"queues": {"response": {"name": "others"}}}), QUEUES),
        ("here", json!({"queues": {"deadLetter": {"name": "others"}}}), QUEUES),
        ("here", json!({"storage": {"inputBucket": "others"}}), BUCKETS),
        ("here", json!({"storage": {"outputBucket": "others"}}), BUCKETS),
        ("here", json!({"region": "eu-west-1"}), REGION),
        ("there", json!({"region": "eu-west-2"}), REGION),
        ("there", json!({"region": null}), REGION),
        ("here", json!({"endpointUrl": "http://127.0.0.1:4566"}), ENDPOINT),
        ("there", json!({"endpointUrl": "http://127.0.0.1:4567"}), ENDPOINT),
        ("there", json!({"endpointUrl": null}), ENDPOINT),
    ];
    rows.into_iter().map(|(name, spec, sentence)| (name, Row(json!({ "spec": spec }), sentence))).collect()
}

/// Changes that come close to being wrong and are not.
pub fn taken() -> Vec<Value> {
    let template = |template: Value| json!({"workers": {"template": template}});
    let specs = [
        json!({}),
        json!({"region": "ap-southeast-2"}),
        json!({"region": "us-gov-west-1"}),
        json!({"endpointUrl": "http://127.0.0.1:4566"}),
        json!({"endpointUrl": "https://proxy.example/"}),
        json!({"tracing": {"otlpEndpoint": "https://collector.example/otlp", "samplingRatio": 0.01}}),
        json!({"scaling": {"fallback": {"workers": 5}}}),
        json!({"scaling": {"target": {"messagesPerWorker": null, "drainSeconds": 60}}}),
        json!({"scaling": {"target": null}}),
        json!({"storage": {"inputBucket": "a.b-c", "outputBucket": "192.168.0.1x"}}),
        json!({"model": {"uri": "file:///opt/model"}}),
        json!({"model": {"uri": "s3://models/a/b c"}}),
        json!({"queues": {"fifo": true, "request": {"name": "r.fifo"}, "deadLetter": {"name": "d.fifo"}}}),
        json!({"queues": {"request": {"name": "imagenet-responses-a0"}, "deadLetter": {"name": "imagenet-responses-dead"}}}),
        json!({"workers": {"min": 5}}),
        json!({"workers": {"warmPool": {"max": 1, "prepared": 1}, "update": {"maxUnavailable": 0}}}),
        json!({"workers": {"update": {"maxSurge": 0}}}),
        template(json!({"imageId": "ami-01234567"})),
        template(json!({"imageId": null, "imageParameter": "/aws/service/ami_x-y.z:12"})),
        template(json!({"userData": "mount -a"})),
        template(
            json!({"userData": "#".repeat(6144), "binary": {"uri": "s3://my.programs/v1.0/worker_x86-64+a=b", "sha256": "0a".repeat(32)}}),
        ),
        template(json!({"instanceTypes": ["t3.small", "u-6tb1.112xlarge"], "subnetIds": ["subnet-01234567", "subnet-0123456789abcdef0"]})),
        template(json!({"securityGroupIds": ["sg-01234567"], "instanceProfile": "worker+a=b,c.d@e-f_g"})),
        json!({"storage": {"keyStyle": "Name"}}),
        json!({"gateway": {"tokenSecret": {"name": "my.token-1"}, "tlsSecret": {"name": "gateway-tls"}}}),
        json!({"gateway": {"tokenSecret": {"name": "t", "key": ".dotted_Key-1"}}}),
        json!({"gateway": {"cors": {"allowedOrigins": ["*"]}, "resultCache": {"maxEntries": 1000}}}),
        json!({"gateway": {"cors": {"allowedOrigins": ["https://photos.example", "http://[::1]:3000"]}}}),
        json!({"gateway": {"podTemplate": {"metadata": {"annotations": {"a": "b"}}, "spec": {"whatever": ["is", {"a": 1}]}}}}),
    ];
    specs.into_iter().map(|spec| json!({ "spec": spec })).collect()
}
