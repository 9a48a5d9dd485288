//! The chart's dashboards as Grafana reads them.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use super::server::Server;

/// What Grafana puts in place of its variables, for this run.
const VARIABLES: [(&str, &str); 3] = [("$namespace", "default"), ("$fleet", "imagenet"), ("$__rate_interval", "10s")];

#[derive(Debug, Deserialize)]
pub struct Dashboard {
    pub title: String,
    pub panels: Vec<Panel>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    pub title: String,
    #[serde(rename = "type")]
    kind: String,
    grid_pos: Value,
    field_config: Value,
    pub targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    expr: String,
    legend_format: String,
}

impl Dashboard {
    pub fn read(path: &Path) -> Self {
        let dashboard: Self = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert!(dashboard.panels.len() > 10, "{}", dashboard.title);
        dashboard
    }

    /// What a person would see of the time from `start` to `end`, for dev/prometheus/draw.cjs.
    pub async fn drawn(&self, server: &Server, start: f64, end: f64) -> Value {
        let mut panels = Vec::new();
        for panel in &self.panels {
            let mut series = Vec::new();
            for target in &panel.targets {
                for found in server.range(&target.expr(), start, end).await {
                    series.push(json!({"legend": target.legend(&found["metric"]), "values": found["values"]}));
                }
            }
            let unit = &panel.field_config["defaults"]["unit"];
            panels.push(json!({"title": panel.title, "type": panel.kind, "gridPos": panel.grid_pos, "unit": unit, "series": series}));
        }
        json!({"title": self.title, "start": start, "end": end, "panels": panels})
    }
}

impl Target {
    /// The query as Grafana sends it.
    pub fn expr(&self) -> String {
        VARIABLES.iter().fold(self.expr.clone(), |expr, (name, value)| expr.replace(name, value))
    }

    /// The series' name: `{{label}}` is replaced by its value.
    fn legend(&self, metric: &Value) -> String {
        let labels = metric.as_object().unwrap().iter();
        let name = labels.fold(self.legend_format.clone(), |name, (label, value)| {
            name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap_or_default())
        });
        assert!(!name.contains("{{"), "{name} names a label that {metric} has not");
        name
    }
}

/// Whether any of `series` has a number.
pub fn has_data(series: &[Value]) -> bool {
    let numbers = series.iter().flat_map(|series| series["values"].as_array().unwrap());
    numbers.filter_map(|pair| pair[1].as_str()?.parse::<f64>().ok()).any(f64::is_finite)
}
