#!/usr/bin/env python3
"""The plain worker that benchmarks measure ours against: one message at a time, as such workers are usually written.

Receive one message, get the image from S3, prepare it with Pillow, classify it with onnxruntime, put the result into S3,
send the reply, delete the message; then the next. It speaks the JSON of the `wire` crate, so that the gateway does not
know the difference. What ours does besides, it leaves out: errors for what is no image, heartbeats, registration.

SIGTERM ends it once the message it has, or the poll it is in (up to 20 s), is done.

Region, credentials and endpoints come from the environment (AWS_REGION, AWS_ENDPOINT_URL_SQS, …).
"""

import argparse
import json
import os
import signal
import time
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path

import boto3
import numpy as np
import onnxruntime
from PIL import Image, ImageOps

# What the gateway's answers name as the worker.
NAME = "python"


class Model:
    """A model folder: `model.json`, the ONNX file and the labels."""

    def __init__(self, folder: Path):
        self.manifest = json.loads((folder / "model.json").read_text())
        self.labels = (folder / self.manifest["output"]["labels"]["file"]).read_text().splitlines()
        onnx = folder / self.manifest["onnx"]["file"]
        self.session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def prepare(self, image: bytes) -> np.ndarray:
        """The input tensor (1 × 3 × height × width, float32) of an encoded image."""
        spec = self.manifest["input"]
        picture = ImageOps.exif_transpose(Image.open(BytesIO(image))).convert("RGB")
        shorter = spec["resize"]["shorterSide"]
        scale = shorter / min(picture.size)
        filter = Image.Resampling[spec["resize"]["filter"].upper()]
        picture = picture.resize([max(shorter, int(side * scale)) for side in picture.size], filter)
        left, top = (picture.width - spec["width"]) // 2, (picture.height - spec["height"]) // 2
        picture = picture.crop((left, top, left + spec["width"], top + spec["height"]))
        pixels = (np.asarray(picture, np.float32) - np.float32(spec["mean"])) / np.float32(spec["std"])
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])

    def classify(self, tensor: np.ndarray) -> list[dict]:
        """The most probable classes, best first."""
        probabilities = self.session.run(None, {self.input: tensor})[0].ravel()
        best = np.argsort(-probabilities)[: self.manifest["output"]["topK"]]
        return [{"index": int(i), "label": self.labels[i], "probability": float(probabilities[i])} for i in best]


class Worker:
    """The loop. All settings are names, not URLs."""

    def __init__(self, queue: str, output_bucket: str, model: Model):
        region = os.environ.get("AWS_REGION")
        self.sqs, self.s3 = boto3.client("sqs", region_name=region), boto3.client("s3", region_name=region)
        self.queue = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self.output_bucket, self.model = output_bucket, model
        self.reply_urls: dict[str, str] = {}
        self.stopping = False

    def stop(self, *_):
        """No further message is received."""
        self.stopping = True

    def run(self):
        """Works until `stop`."""
        while not self.stopping:
            received = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=1, WaitTimeSeconds=20)
            for message in received.get("Messages", []):
                self.work(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])

    def work(self, job: dict):
        """From the job to its published result."""
        begun = time.perf_counter()
        queue_seconds = (datetime.now(timezone.utc) - datetime.fromisoformat(job["submittedAt"])).total_seconds()
        image = self.s3.get_object(Bucket=job["bucket"], Key=job["key"])["Body"].read()
        fetched = time.perf_counter()
        tensor = self.model.prepare(image)
        decoded = time.perf_counter()
        predictions = self.model.classify(tensor)
        steps = [queue_seconds, fetched - begun, decoded - fetched, time.perf_counter() - decoded]
        timings = dict(zip(["queueMs", "fetchMs", "decodeMs", "inferMs"], [seconds * 1000 for seconds in steps]))
        self.publish(job, self.result(job, predictions, timings))

    def result(self, job: dict, predictions: list[dict], timings: dict) -> dict:
        """A `JobResult` of the `wire` crate."""
        return {
            "id": job["id"],
            "name": job["name"],
            "status": "Classified",
            "label": predictions[0]["label"],
            "predictions": predictions,
            "model": {key: self.model.manifest[key] for key in ("name", "version")},
            "revision": "baseline",
            "worker": NAME,
            "submittedAt": job["submittedAt"],
            "finishedAt": datetime.now(timezone.utc).isoformat(),
            "timings": timings,
        }

    def publish(self, job: dict, result: dict):
        """To S3, then to the queue that waits for it."""
        body, key = json.dumps(result), f"{job['id']}/{job['name']}.json"
        self.s3.put_object(Bucket=self.output_bucket, Key=key, Body=body.encode(), ContentType="application/json")
        self.sqs.send_message(QueueUrl=self.reply_url(job["replyTo"]), MessageBody=body)

    def reply_url(self, name: str) -> str:
        """Looked up once."""
        if name not in self.reply_urls:
            self.reply_urls[name] = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        return self.reply_urls[name]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queue", required=True, help="name of the request queue")
    parser.add_argument("--output-bucket", required=True, help="bucket of the results")
    parser.add_argument("--model", required=True, type=Path, help="model folder")
    args = parser.parse_args()
    worker = Worker(args.queue, args.output_bucket, Model(args.model))
    signal.signal(signal.SIGTERM, worker.stop)
    worker.run()


if __name__ == "__main__":
    main()
