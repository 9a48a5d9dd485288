# Fetches the worker's program from S3 with the role of the instance, and installs it if its SHA-256 is the one expected.
#
# usage: fetch-worker.py s3://BUCKET/KEY SHA256 DESTINATION
#
# Needs Python 3.6, which every image with cloud-init has, and neither curl nor the AWS CLI. Reads AWS_REGION, and as the SDKs
# do AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL and AWS_EC2_METADATA_SERVICE_ENDPOINT. Does nothing when DESTINATION is that program.
# It travels in the user data, of which EC2 takes 16 KiB: comment lines are left out there, so all that explains is one.
import datetime, hashlib, hmac, json, os, sys, time
from urllib import error, parse, request

NO_BODY = hashlib.sha256(b"").hexdigest()


# What no further try would change.
class Final(Exception):
    pass


# What the instance metadata service says; without a token, a token for it.
def metadata(path, token=None):
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or "http://169.254.169.254"
    headers = {"X-aws-ec2-metadata-token": token} if token else {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    call = request.Request(base.rstrip("/") + "/latest/" + path, headers=headers, method="GET" if token else "PUT")
    # Never through a proxy: it would ask its own metadata service.
    with request.build_opener(request.ProxyHandler({})).open(call, timeout=5) as answer:
        return answer.read().decode()


# The credentials of the instance's role.
def role(token):
    path = "meta-data/iam/security-credentials/"
    try:
        return json.loads(metadata(path + metadata(path, token).split()[0], token))
    except error.HTTPError:
        raise OSError("the instance has no role: instanceProfile of the fleet's template must name an instance profile with one")


# The headers of a GET of `url`, by AWS Signature Version 4.
def signed(url, region, credentials, now):
    host, path = parse.urlsplit(url)[1:3]
    date = now.strftime("%Y%m%dT%H%M%SZ")
    headers = {"host": host, "x-amz-content-sha256": NO_BODY, "x-amz-date": date, "x-amz-security-token": credentials["Token"]}
    names = ";".join(sorted(headers))
    lines = "".join("%s:%s\n" % item for item in sorted(headers.items()))
    scope = "%s/%s/s3/aws4_request" % (date[:8], region)
    asked = hashlib.sha256("\n".join(["GET", path, "", lines, names, NO_BODY]).encode()).hexdigest()
    key = ("AWS4" + credentials["SecretAccessKey"]).encode()
    for part in scope.split("/") + ["\n".join(["AWS4-HMAC-SHA256", date, scope, asked])]:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    claim = "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s"
    return dict(headers, authorization=claim % (credentials["AccessKeyId"], scope, names, key.hex()))


# The object, as an open answer.
def get(bucket, key):
    token, region = metadata("api/token"), os.environ["AWS_REGION"]
    base = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    # The domain is another one in China.
    base = base or "https://s3.%s.%s" % (region, metadata("meta-data/services/domain", token))
    url = "%s/%s/%s" % (base.rstrip("/"), bucket, parse.quote(key, safe="/-_.~"))
    headers = signed(url, region, role(token), datetime.datetime.now(datetime.timezone.utc))
    headers["user-agent"] = "fetch-worker app/classifierfleet-worker"
    try:
        return request.urlopen(request.Request(url, headers=headers), timeout=30)
    except error.HTTPError as refusal:
        why = "S3 answers %d: %s" % (refusal.code, refusal.read(400).decode(errors="replace"))
        if refusal.code == 403:
            why += "\nThe role needs s3:GetObject on arn:aws:s3:::%s/%s (and s3:ListBucket, to learn of a wrong key)." % (bucket, key)
        raise Final(why) if refusal.code == 404 else OSError(why)


# SHA-256 of a file in hex; none when there is no such file.
def digest(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


# Puts the program into its place, whole or not at all.
def install(uri, sha256, destination):
    part = destination + ".part"
    with get(parse.urlsplit(uri).netloc, uri.split("/", 3)[3]) as answer, open(part, "wb") as file:
        size = int(answer.headers["Content-Length"])
        for chunk in iter(lambda: answer.read(1 << 20), b""):
            file.write(chunk)
        if file.tell() != size:
            raise OSError("the connection ended after %d of %d bytes" % (file.tell(), size))
    found = digest(part)
    if found != sha256:
        os.remove(part)
        raise Final("its SHA-256 is %s and should be %s: correct binary.sha256 of the fleet's template" % (found, sha256))
    os.chmod(part, 0o755)
    os.replace(part, destination)


# Tries for about a minute: the role of a new instance profile is some seconds late.
def main(uri, sha256, destination):
    if digest(destination) == sha256:
        return 0
    for tried in range(6):
        try:
            install(uri, sha256, destination)
            return 0
        except Exception as why:
            print("the worker's program could not be fetched from %s: %s" % (uri, why), file=sys.stderr)
            if isinstance(why, Final):
                return 1
        time.sleep(2**tried)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
