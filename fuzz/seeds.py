"""Makes the corpus of images: one small picture, four plain quarters, in as many ways as formats have. `python fuzz/seeds.py`

Needs Pillow and numpy (dev/requirements.txt). `good-*` decode to that picture, `bad-*` are refused; the worker's tests say so.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

CORPUS = Path(__file__).parent / "corpus" / "decode"
WIDTH, HEIGHT = 48, 32
QUARTERS = ((200, 30, 20), (20, 180, 30), (10, 20, 220), (150, 150, 150))


def picture(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Red and green above blue and grey."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for index, colour in enumerate(QUARTERS):
        down, across = divmod(index, 2)
        rows = slice(down * height // 2, (down + 1) * height // 2)
        pixels[rows, across * width // 2 : (across + 1) * width // 2] = colour
    return Image.fromarray(pixels)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """EXIF data that hold the orientation."""
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


def jpegs() -> dict[str, bytes]:
    """Sampling, progression, colour spaces, turned as cameras do."""
    image = picture()
    files = {
        f"good-{name}.jpg": encoded(image, "JPEG", quality=90, subsampling=subsampling, progressive=progressive)
        for name, subsampling, progressive in [("444", 0, False), ("422", 1, False), ("420", 2, False), ("progressive", 2, True)]
    }
    files["good-cmyk.jpg"] = encoded(image.convert("CMYK"), "JPEG", quality=95)
    files["good-restarts.jpg"] = encoded(image, "JPEG", quality=90, restart_marker_blocks=1)
    files["good-rgb.jpg"] = encoded(image, "JPEG", quality=95, keep_rgb=True)
    files["grey.jpg"] = encoded(image.convert("L"), "JPEG", quality=90)
    files["good-turned.jpg"] = encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=90, exif=exif(6))
    # Large enough to be decoded at a fraction of its size.
    large = picture(2304, 1024)
    files["good-large.jpg"] = encoded(large, "JPEG", quality=50, subsampling=2, optimize=True)
    files["good-large-progressive.jpg"] = encoded(large, "JPEG", quality=50, subsampling=2, progressive=True)
    files["good-large-cmyk.jpg"] = encoded(large.convert("CMYK"), "JPEG", quality=50, optimize=True)
    whole = files["good-420.jpg"]
    files["bad-cut.jpg"] = whole[: len(whole) * 3 // 4]
    files["bad-arithmetic.jpg"] = whole.replace(b"\xff\xc0", b"\xff\xc9", 1)
    files["bad-size.jpg"] = whole.replace(struct.pack(">HH", HEIGHT, WIDTH), b"\xff\xff\xff\xff", 1)
    scan = files["good-progressive.jpg"]
    last = scan.rindex(b"\xff\xda")
    files["bad-scans.jpg"] = scan[:last] + scan[last:-2] * 120 + b"\xff\xd9"
    return files


def pngs() -> dict[str, bytes]:
    """Depths, palettes, transparency, interlacing."""
    image = picture()
    files = {
        "good-rgb.png": encoded(image, "PNG"),
        "good-palette.png": encoded(image.quantize(4), "PNG", bits=2),
        "good-turned.png": encoded(image.transpose(Image.Transpose.ROTATE_180), "PNG", exif=exif(3)),
        "good-16-bit.png": sixteen_bit_png(image),
        "grey-16-bit.png": encoded(image.convert("I;16"), "PNG"),
        "one-bit.png": encoded(image.convert("1"), "PNG"),
        "transparent.png": encoded(image.convert("LA"), "PNG"),
    }
    opaque = image.convert("RGBA")
    files["good-rgba.png"] = encoded(opaque, "PNG")
    files["good-animated.png"] = encoded(image, "PNG", save_all=True, append_images=[Image.new("RGB", image.size)])
    files["bad-cut.png"] = files["good-rgb.png"][:70]
    files["bad-checksum.png"] = files["good-rgb.png"].replace(b"IDAT", b"IDAU")
    files["bad-size.png"] = png(60_000, 60_000, 8, 2, b"\0")
    files["bomb.png"] = png(1, 1, 8, 2, bytes(1 << 22))
    return files


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG whose header need not fit its data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def sixteen_bit_png(image: Image.Image) -> bytes:
    """Pillow writes no RGB with 16 bits a channel."""
    rows = (np.asarray(image, ">u2") * 257).astype(">u2")
    return png(image.width, image.height, 16, 2, b"".join(b"\0" + row.tobytes() for row in rows))


def others() -> dict[str, bytes]:
    """WebP, GIF, BMP, TIFF, and what is none of them."""
    image = picture()
    opaque, black = image.convert("RGBA"), Image.new("RGB", image.size)
    turned = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    files = {
        "good-lossy.webp": encoded(image, "WEBP", quality=90),
        "good-lossless.webp": encoded(image, "WEBP", lossless=True),
        "good-turned.webp": encoded(turned, "WEBP", lossless=True, exif=exif(2)),
        "good-animated.webp": encoded(image, "WEBP", lossless=True, save_all=True, append_images=[black]),
        "good.gif": encoded(image, "GIF"),
        "good-animated.gif": encoded(image, "GIF", save_all=True, append_images=[black]),
        "good-interlaced.gif": encoded(image, "GIF", interlace=True),
        "good.bmp": encoded(image, "BMP"),
        "good-palette.bmp": encoded(image.quantize(4), "BMP"),
        "good-rgba.bmp": encoded(opaque, "BMP"),
        "good-cmyk.tif": encoded(image.convert("CMYK"), "TIFF", compression="tiff_lzw"),
        "good-turned.tif": encoded(turned, "TIFF", compression="tiff_deflate", tiffinfo={0x0112: 2}),
        "good-rgba.tif": encoded(opaque, "TIFF", compression="packbits"),
        "grey-16-bit.tif": encoded(image.convert("I;16"), "TIFF", compression="tiff_lzw"),
        "bad-palette.tif": encoded(image.quantize(4), "TIFF", compression="packbits"),
        "bad-text.txt": b"dear sir or madam",
        "bad-empty": b"",
        "bad.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "bad.pdf": b"%PDF-1.7\n",
    }
    files["transparent.webp"] = encoded(opaque, "WEBP", quality=50)
    for name in ("good-lossy.webp", "good-lossless.webp", "good.gif", "good.bmp", "good-rgba.tif"):
        files[name.replace("good", "bad-cut")] = files[name][: len(files[name]) // 2]
    files["bad-size.gif"] = b"GIF89a" + b"\xff" * 4 + files["good.gif"][10:]
    return files


def main() -> None:
    """Writes the corpus."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, content in (jpegs() | pngs() | others()).items():
        (CORPUS / name).write_bytes(content)


if __name__ == "__main__":
    main()
