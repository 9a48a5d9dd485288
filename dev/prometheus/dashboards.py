"""Writes the chart's Grafana dashboards: what is shown stands here once, how Grafana wants it said stands at the end.

    python3 dev/prometheus/dashboards.py            # writes charts/classifier-fleet/dashboards/*.json
    python3 dev/prometheus/dashboards.py --check    # fails when they differ
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "charts/classifier-fleet/dashboards"

OF_FLEET = 'namespace="$namespace",fleet="$fleet"'
BY_FLEET = "sum by (namespace, fleet)"
FLEET_NAME = "{{namespace}}/{{fleet}}"
ANSWERED = 'outcome="classified"'
NOT_ANSWERED = 'outcome!="classified"'
DONE = 'ending="done"'
NOT_DONE = 'ending!="done"'
READY = 'state="ready"'
# Boots and wakes are rare: over less time there would mostly be none.
RARE = "30m"


def metric(name, labels=""):
    """A metric of the one fleet of its dashboard."""
    return f"classifierfleet_{name}{{{OF_FLEET}{',' if labels else ''}{labels}}}"


def rate(selector, window="$__rate_interval"):
    return f"rate({selector}[{window}])"


def quantile(share, histogram, by="", window="$__rate_interval"):
    groups = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({groups}) ({rate(histogram, window)}))"


def mean(name, by):
    return f"sum by ({by}) ({rate(metric(name + '_sum'))}) / sum by ({by}) ({rate(metric(name + '_count'))})"


def per_thousand(by, selector=""):
    cost, images = (f"classifierfleet_{name}{{{labels}}}" for name, labels in (
        ("instance_cost_usd_total", selector),
        ("gateway_uploads_total", ",".join(filter(None, (selector, ANSWERED)))),
    ))
    return f"1000 * {by} ({rate(cost, '1h')}) / ({by} ({rate(images, '1h')}) > 0)"


# Each panel: kind (stat or line), title, unit, what it means, and its queries with their legends.
FLEET = [
    ("stat", "Waiting and held", "short", "Jobs in the request queue.", {"": f"sum(max by (state) ({metric('queue_messages')}))"}),
    ("stat", "Ready workers", "short", "Instances that take jobs.", {"": f"max({metric('workers', READY)})"}),
    ("stat", "Images per second", "short", "Answered by the gateway.", {"": f"sum({rate(metric('gateway_uploads_total', ANSWERED))})"}),
    ("stat", "Median answer time", "s", "From the upload's request to its result.",
     {"": quantile(0.5, metric("gateway_upload_duration_seconds_bucket"), window="5m")}),
    ("stat", "Cost per hour", "currencyUSD", "Of the running instances.", {"": f"max({metric('instance_cost_usd_per_hour')})"}),
    ("stat", "Dead letters", "short", "Jobs that failed as often as they may.", {"": f"max({metric('dead_letter_messages')})"}),
    ("line", "Queue", "short", "Messages in the request queue, as SQS counts them.",
     {"{{state}}": f"max by (state) ({metric('queue_messages')})"}),
    ("line", "Workers", "short", "What the fleet wants, may have, and has.", {
        "desired": f"max({metric('desired_workers')})",
        "max": f"max({metric('max_workers')})",
        "{{state}}": f"max by (state) ({metric('workers')})",
    }),
    ("line", "Images per second", "short", "Uploaded to the gateway, done by workers, answered by the gateway.", {
        "uploads ended": f"sum({rate(metric('gateway_uploads_total'))})",
        "answered": f"sum({rate(metric('gateway_uploads_total', ANSWERED))})",
        "done by workers": f"sum({rate(metric('worker_jobs_total', DONE))})",
    }),
    ("line", "Answer time", "s", "From the upload's request to its result.", {
        f"{share:.0%}": quantile(share, metric("gateway_upload_duration_seconds_bucket")) for share in (0.5, 0.95, 0.99)
    }),
    ("line", "Boot time", "s", "From the launch call to ready: half and nine of ten of the last half hour.", {
        "{{kind}} 50%": quantile(0.5, metric("boot_duration_seconds_bucket"), "kind", RARE),
        "{{kind}} 90%": quantile(0.9, metric("boot_duration_seconds_bucket"), "kind", RARE),
    }),
    ("line", "From an upload to the launch", "s", "Of the uploads that found no worker, in the last half hour.", {
        "50%": quantile(0.5, metric("operator_reaction_seconds_bucket"), window=RARE),
        "99%": quantile(0.99, metric("operator_reaction_seconds_bucket"), window=RARE),
    }),
    ("line", "Instances launched and removed", "short", "In each interval.", {
        "{{action}}": f"sum by (action) (increase({metric('launched_instances_total')}[$__rate_interval]))",
        "{{reason}}": f"sum by (reason) (increase({metric('removed_instances_total')}[$__rate_interval]))",
    }),
    ("line", "What EC2 refuses", "short", "Launches that failed, by EC2's code, and offerings that are closed for it.", {
        "{{code}}": f"sum by (code) (increase({metric('launch_failures_total')}[$__rate_interval]))",
        "closed: {{instance_type}} {{capacity_type}} {{subnet}}":
            f"max by (instance_type, capacity_type, subnet) ({metric('offering_closed')})",
    }),
    ("line", "Images without a label", "short", "Per second, by what became of them.",
     {"{{outcome}}": f"sum by (outcome) ({rate(metric('gateway_uploads_total', NOT_ANSWERED))})"}),
    ("line", "Jobs that failed", "short", "Workers started again, jobs that did not end as done, jobs in the dead-letter queue.", {
        "workers restarted": f"sum(increase({metric('restarted_workers_total')}[$__rate_interval]))",
        "{{ending}}": f"sum by (ending) (increase({metric('worker_jobs_total', NOT_DONE)}[$__rate_interval]))",
        "dead letters": f"max({metric('dead_letter_messages')})",
    }),
    ("line", "Cost per hour", "currencyUSD", "Of the running instances, by the operator's price file.",
     {"instances": f"max({metric('instance_cost_usd_per_hour')})"}),
    ("line", "Cost of a thousand images", "currencyUSD", "What the last hour's instances cost, boots and idle time too, over its images.",
     {"as they came": per_thousand("sum", OF_FLEET)}),
    ("line", "Each worker's images per second", "short", "Done.",
     {"{{instance_id}}": f"sum by (instance_id) ({rate(metric('worker_jobs_total', DONE))})"}),
    ("line", "Where a job's time goes", "s", "The mean of each stage on the workers.",
     {"{{stage}}": mean("worker_stage_seconds", "stage")}),
    ("line", "Held", "short", "Uploads that wait in the gateway, jobs that workers hold, listeners to events.", {
        "waiting in the gateway": f"sum({metric('gateway_pending_uploads')})",
        "held by workers": f"sum({metric('worker_held_jobs')})",
        "listeners": f"sum({metric('gateway_event_streams')})",
    }),
    ("line", "Calls of workers to AWS", "short", "Per second, retries included.",
     {"{{call}}": f"sum by (call) ({rate(metric('worker_aws_calls_total'))})"}),
    ("line", "CPU time of an image", "s", "Decoding and inference on the workers.", {
        "classify": f"sum({rate(metric('worker_classify_cpu_seconds_total'))}) / sum({rate(metric('worker_jobs_total', DONE))})",
    }),
    ("line", "Bytes received", "Bps", "Bodies of requests to the gateway.",
     {"received": f"sum({rate(metric('gateway_received_bytes_total'))})"}),
]

# Of all fleets: a gauge that only the operator that leads shows, and a rate.
def every(name, labels):
    return f"classifierfleet_{name}{{{labels}}}" if labels else f"classifierfleet_{name}"


def each(name, labels="", by="namespace, fleet"):
    return f"max by ({by}) ({every(name, labels)})"


def rates(name, by, labels="", function="rate"):
    return f"sum by ({by}) ({function}({every(name, labels)}[$__rate_interval]))"


def quantiles(share, name, by):
    return f"histogram_quantile({share}, {rates(name + '_bucket', 'le, ' + by)})"


QUEUE = each("queue_messages", by="namespace, fleet, state")
FLEETS = "namespace, fleet"
OVERVIEW = [
    ("stat", "Fleets", "short", "That the operator keeps.", {"": f"count({each('max_workers')})"}),
    ("stat", "Ready workers", "short", "Of all fleets.", {"": f"sum({each('workers', READY)})"}),
    ("stat", "Waiting and held", "short", "Jobs in all request queues.", {"": f"sum({QUEUE})"}),
    ("stat", "Images per second", "short", "Answered by all gateways.", {"": f"sum({rates('gateway_uploads_total', FLEETS, ANSWERED)})"}),
    ("stat", "Cost per hour", "currencyUSD", "Of all running instances.", {"": f"sum({each('instance_cost_usd_per_hour')})"}),
    ("stat", "Dead letters", "short", "Jobs that failed as often as they may.", {"": f"sum({each('dead_letter_messages')})"}),
    ("line", "Waiting and held", "short", "Jobs in the request queue.", {FLEET_NAME: f"{BY_FLEET} ({QUEUE})"}),
    ("line", "Ready workers", "short", "Instances that take jobs.", {FLEET_NAME: each("workers", READY)}),
    ("line", "Images per second", "short", "Answered by the gateway.", {FLEET_NAME: rates("gateway_uploads_total", FLEETS, ANSWERED)}),
    ("line", "Answer time, 19 of 20 images", "s", "From the upload's request to its result.",
     {FLEET_NAME: quantiles(0.95, "gateway_upload_duration_seconds", FLEETS)}),
    ("line", "Cost per hour", "currencyUSD", "Of the running instances.", {FLEET_NAME: each("instance_cost_usd_per_hour")}),
    ("line", "Cost of a thousand images", "currencyUSD", "Of the last hour, boots and idle time too.",
     {FLEET_NAME: per_thousand(BY_FLEET)}),
    ("line", "Images without a label", "short", "Per second.", {FLEET_NAME: rates("gateway_uploads_total", FLEETS, NOT_ANSWERED)}),
    ("line", "Launches that failed", "short", "By EC2's code.", {"{{code}}": rates("launch_failures_total", "code", function="increase")}),
    ("line", "Instances", "short", "That EC2 lists, and those terminated because their fleet is gone.", {
        "{{region}}": each("operator_inventory_instances", by="region"),
        "orphans in {{region}}": rates("operator_orphans_terminated_total", "region", function="increase"),
    }),
    ("line", "Calls to EC2", "short", "Per second.", {"{{action}} {{outcome}}": rates("operator_ec2_calls_total", "action, outcome")}),
    ("line", "Calls to EC2 that waited for their turn", "s", "99 of 100 waited no longer.",
     {"{{action}}": quantiles(0.99, "operator_ec2_wait_seconds", "action")}),
    ("line", "Reconciles", "s", "Half and 99 of 100 took no longer.", {
        "{{outcome}} 50%": quantiles(0.5, "operator_reconcile_duration_seconds", "outcome"),
        "{{outcome}} 99%": quantiles(0.99, "operator_reconcile_duration_seconds", "outcome"),
    }),
    ("line", "What the operator failed at", "short", "Reconciles by their stage, and lists of instances by EC2's code.", {
        "{{stage}}": rates("operator_reconcile_failures_total", "stage", function="increase"),
        "list: {{code}}": rates("operator_inventory_failures_total", "code", function="increase"),
    }),
    ("line", "Operators", "short", "One leads. The other line is the age of the oldest fleet's last reconcile, in seconds.", {
        "leading": "sum(classifierfleet_operator_leading)",
        "oldest reconcile": f"max(time() - {each('last_reconcile_timestamp_seconds')})",
    }),
]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def place(panels):
    """Six numbers in a row, then charts in pairs."""
    x = y = 0
    for kind, *_ in panels:
        width, height = (4, 4) if kind == "stat" else (12, 8)
        if x + width > 24:
            x, y = 0, y + last
        last = height
        yield {"x": x, "y": y, "w": width, "h": height}
        x += width


def panel(number, at, kind, title, unit, description, queries):
    line = kind == "line"
    targets = [
        {"refId": chr(ord("A") + index), "expr": expr, "legendFormat": legend or title, "range": line, "instant": not line}
        for index, (legend, expr) in enumerate(queries.items())
    ]
    defaults = {"unit": unit, "min": 0}
    if line:
        defaults["custom"] = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never"}
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    else:
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "none", "graphMode": "area"}
    return {
        "id": number, "type": "timeseries" if line else "stat", "title": title, "description": description, "gridPos": at,
        "datasource": SOURCE, "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options, "targets": targets,
    }


def variable(name, label_of):
    query = f"label_values({label_of}, {name})"
    source = {"query": query, "refId": name}
    return {"name": name, "type": "query", "datasource": SOURCE, "definition": query, "query": source, "refresh": 2, "sort": 1}


def dashboard(uid, title, panels, variables):
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    other = "classifierfleet-fleet" if uid.endswith("overview") else "classifierfleet-overview"
    link = {"title": "One fleet" if uid.endswith("overview") else "All fleets", "type": "link", "url": f"/d/{other}", "keepTime": True}
    return {
        "uid": uid, "title": title, "tags": ["classifierfleet"], "schemaVersion": 38, "editable": True, "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"}, "links": [link], "templating": {"list": [source, *variables]},
        "panels": [panel(number, at, *what) for number, (at, what) in enumerate(zip(place(panels), panels, strict=True), 1)],
    }


def main():
    known = "classifierfleet_max_workers"
    fleets = [variable("namespace", known), variable("fleet", known + '{namespace="$namespace"}')]
    wanted = {
        "overview.json": dashboard("classifierfleet-overview", "ClassifierFleet: all fleets", OVERVIEW, []),
        "fleet.json": dashboard("classifierfleet-fleet", "ClassifierFleet: one fleet", FLEET, fleets),
    }
    for name, content in wanted.items():
        path, text = FOLDER / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"{path} differs: python3 {__file__}")


if __name__ == "__main__":
    main()
