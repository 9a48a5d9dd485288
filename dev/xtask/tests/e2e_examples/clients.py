"""The programs that uploaded to the five systems, as they were written: up to 100 threads, a new connection for each image, no
Content-Type for the part, and success is status 200 and a body that says the label.

    clients.py NAME URL FOLDER

NAME is the example's; FOLDER holds images and labels.json (file name: label). Says what went wrong, and fails if anything did.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests


def behind_colon(body, name, label):
    return body.split(":")[1].strip() == label


# Path, field of the form, and whether a body says that the image of this name has this label.
CLIENTS = {
    "faces": ("/upload", "myfile", lambda body, name, label: body == label),
    "restarted-workers": ("/upload", "myfile", lambda body, name, label: f"({name},{label})" in body),
    "worker-per-image": ("/upload", "myfile", behind_colon),
    "queue-image": ("/queueImage", "myfile", lambda body, name, label: json.loads(body)["result"] == label),
    "one-at-a-time": ("/", "inputFile", behind_colon),
}


def main(client, url, folder):
    path, field, says = CLIENTS[client]

    def upload(image):
        name, label = image
        with open(folder / name, "rb") as file:
            answer = requests.post(url + path, files={field: file}, timeout=600)
        if answer.status_code != 200 or not says(answer.text, name, label):
            return f"{name} is {label}, the answer was {answer.status_code} {answer.text!r}"

    labels = json.loads((folder / "labels.json").read_text())
    with ThreadPoolExecutor(max_workers=100) as threads:
        wrong = list(filter(None, threads.map(upload, labels.items())))
    print(f"{len(labels) - len(wrong)} of {len(labels)} right", *wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
