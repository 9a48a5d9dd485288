//! An API server that knows what a fleet is, and the example fleet, to be changed a little.

use hyper::Request;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use serde_json::Value;
use xtask::stack::Stack;

const FLEETS: &str = "/apis/classifierfleet.dev/v1alpha1/namespaces/default/classifierfleets";

/// The API server and what it is asked about.
pub struct Server {
    client: Client,
    /// The example fleet as the user wrote it.
    pub example: Value,
    /// The schema of a fleet as the API server has it.
    pub schema: Value,
}

impl Server {
    pub async fn of(stack: &Stack) -> Self {
        let client = stack.kubernetes().client().await.unwrap();
        let file = std::env::var("CARGO_MANIFEST_DIR").unwrap() + "/../../examples/imagenet.yaml";
        let example = stack.kubectl(&["create", "--dry-run=client", "-o", "json", "-f", &file]).await.unwrap();
        let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
        let definition = definitions.get("classifierfleets.classifierfleet.dev").await.unwrap();
        let schema = definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        Self { client, example: serde_json::from_str(&example).unwrap(), schema: serde_json::to_value(schema).unwrap() }
    }

    /// The fleet as it would be stored, or what is wrong with it. Fields are checked as kubectl has them checked.
    pub async fn judge(&self, fleet: &Value) -> Result<Value, String> {
        self.ask(Request::post(format!("{FLEETS}?dryRun=All&fieldValidation=Strict")), "application/json", fleet).await
    }

    /// Stores a fleet.
    pub async fn create(&self, fleet: &Value) {
        self.ask(Request::post(FLEETS), "application/json", fleet).await.unwrap();
    }

    /// The fleet `name` as it would be after `change`, a merge patch, or what is wrong with that.
    pub async fn revise(&self, name: &str, change: &Value) -> Result<Value, String> {
        let url = format!("{FLEETS}/{name}?dryRun=All&fieldValidation=Strict");
        self.ask(Request::patch(url), "application/merge-patch+json", change).await
    }

    async fn ask(&self, request: hyper::http::request::Builder, content: &str, body: &Value) -> Result<Value, String> {
        let request = request.header("content-type", content).body(body.to_string().into_bytes()).unwrap();
        self.client.request(request).await.map_err(|error| error.to_string())
    }
}
