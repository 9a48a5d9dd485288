// Small pictures, made here from the file, or from what the gateway keeps. A few at a time: a decoded photo is large.

const THUMBNAIL_PIXELS = 144;
const DECODED_AT_ONCE = 2;
const LARGEST_THUMBNAIL_SOURCE = 64 * 1024 * 1024;

const toDecode = [];
let decoding = 0;

/** Makes the picture of an image, when its turn comes; `source` gives the bytes as a Blob. */
function wantThumbnail(item, source) {
  if (item.thumbnail !== undefined) return;
  item.thumbnail = '';
  toDecode.push(async () => {
    try {
      if (!items.includes(item)) return;
      change(item, { thumbnail: URL.createObjectURL(await shrink(await source())) });
    } catch {
      // No format that this browser shows, or no longer kept: the row has its placeholder.
    }
  });
  decodeNext();
}

async function decodeNext() {
  if (decoding >= DECODED_AT_ONCE) return;
  const next = toDecode.shift();
  if (!next) return;
  decoding += 1;
  await next();
  decoding -= 1;
  decodeNext();
}

/** The middle of a picture, as a square. */
async function shrink(blob) {
  if (blob.size > LARGEST_THUMBNAIL_SOURCE) throw new RangeError('too large for a thumbnail');
  const bitmap = await createImageBitmap(blob);
  const canvas = document.createElement('canvas');
  canvas.width = THUMBNAIL_PIXELS;
  canvas.height = THUMBNAIL_PIXELS;
  const side = Math.min(bitmap.width, bitmap.height);
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, THUMBNAIL_PIXELS, THUMBNAIL_PIXELS);
  bitmap.close();
  const small = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/webp', 0.8); });
  if (!small) throw new Error('the browser makes no thumbnails');
  return small;
}

/** The image as the gateway keeps it. */
async function content(item) {
  return (await request(`v1/images/${item.id}/content`)).blob();
}

/** Pictures of images that were not uploaded here are asked for when their rows are seen. */
const seen = new IntersectionObserver((entries) => {
  entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
    seen.unobserve(target);
    const item = target.item;
    if (item?.id && !item.file) wantThumbnail(item, () => content(item));
  });
}, { rootMargin: '200px' });

