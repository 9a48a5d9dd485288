#!/usr/bin/env python3
"""The plain gateway that benchmarks measure ours against: Flask and boto3 under gunicorn, as such gateways are usually written.

POST an image as multipart; it is put into S3, its job is sent to SQS, and the label is the answer once the result is on this
process's reply queue. It speaks the JSON of the `wire` crate, so that workers do not know the difference. What ours does besides,
it leaves out: back-pressure, spooling, results in S3, live events, waking the operator.

    gunicorn --chdir dev/baselines --workers 2 --worker-class gthread --threads 512 gateway:app

Region, credentials and endpoints come from the environment (AWS_REGION, AWS_ENDPOINT_URL_SQS, …), as do REQUEST_QUEUE,
INPUT_BUCKET, and REPLY_QUEUE_PREFIX.
"""

import json
import os
import threading
import uuid
from concurrent.futures import Future
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from flask import Flask, request

# Seconds that an upload waits for its result.
ANSWER_WITHIN = 60

app = Flask(__name__)


class Gateway:
    """One process: its clients, and who waits in it."""

    def __init__(self):
        # As many connections as there may be threads, or they would wait for each other.
        config = Config(max_pool_connections=512, region_name=os.environ["AWS_REGION"])
        self.sqs, self.s3 = boto3.client("sqs", config=config), boto3.client("s3", config=config)
        self.calls, self.counting = 0, threading.Lock()
        for client in (self.sqs, self.s3):
            client.meta.events.register("before-send", self.count)
        self.bucket = os.environ["INPUT_BUCKET"]
        self.requests = self.sqs.get_queue_url(QueueName=os.environ["REQUEST_QUEUE"])["QueueUrl"]
        self.reply_queue = f"{os.environ['REPLY_QUEUE_PREFIX']}-{os.getpid()}"
        self.replies = self.sqs.create_queue(QueueName=self.reply_queue)["QueueUrl"]
        self.waiting: dict[str, Future] = {}
        threading.Thread(target=self.receive, daemon=True).start()

    def count(self, **_):
        """Counts a request to AWS."""
        with self.counting:
            self.calls += 1

    def classify(self, name: str, image: bytes, media_type: str) -> str:
        """The label of an image."""
        id = str(uuid.uuid4())
        key, result = f"{id}/{name}", Future()
        self.waiting[id] = result
        try:
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=image, ContentType=media_type)
            job = {"id": id, "name": name, "bucket": self.bucket, "key": key, "replyTo": self.reply_queue}
            job["submittedAt"] = datetime.now(timezone.utc).isoformat()
            self.sqs.send_message(QueueUrl=self.requests, MessageBody=json.dumps(job))
            return result.result(ANSWER_WITHIN)["label"]
        finally:
            del self.waiting[id]

    def receive(self):
        """Hands results to those who wait, for ever."""
        while True:
            received = self.sqs.receive_message(QueueUrl=self.replies, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            messages = received.get("Messages", [])
            for message in messages:
                result = json.loads(message["Body"])
                if waiting := self.waiting.get(result["id"]):
                    waiting.set_result(result)
            if messages:
                entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
                self.sqs.delete_message_batch(QueueUrl=self.replies, Entries=entries)


gateway = Gateway()


@app.post("/upload")
def upload():
    """The label of the first file, as plain text."""
    file = next(iter(request.files.values()))
    label = gateway.classify(file.filename, file.read(), file.mimetype)
    return label + "\n", {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/calls")
def calls():
    """How many requests to AWS this process has made, and which it is."""
    return {"pid": os.getpid(), "calls": gateway.calls}
