// Draws what a dashboard showed, as Grafana lays it out: node draw.cjs DATA.json PICTURE.png. Knows nothing of what is measured.

const fs = require('node:fs');
const { chromium } = require('playwright-core');

const CELL = { width: 50, height: 30, gap: 8 };
const COLOURS = ['#73bf69', '#f2cc0c', '#5794f2', '#ff9830', '#f2495c', '#b877d9', '#8ab8ff', '#96d98d', '#ffcb7d', '#c4162a', '#37872d', '#1f60c4'];
const AXIS = { left: 52, bottom: 20, top: 8, right: 10 };
const LEGEND_ROW = 17;

const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);

/** A number as a person reads it. */
function shown(value, unit) {
  if (!Number.isFinite(value)) return '–';
  const digits = (number) => String(Number(number.toPrecision(3)));
  if (unit === 'currencyUSD') return `$${digits(value)}`;
  if (unit === 's') return value !== 0 && Math.abs(value) < 1 ? `${digits(value * 1000)} ms` : value >= 120 ? `${digits(value / 60)} min` : `${digits(value)} s`;
  const scale = Math.abs(value) >= 1e6 ? [1e6, 'M'] : Math.abs(value) >= 1e3 ? [1e3, 'k'] : [1, ''];
  return digits(value / scale[0]) + (unit === 'Bps' ? ` ${scale[1]}B/s` : scale[1]);
}

/** Round steps from 0 to at least `most`. */
function steps(most) {
  const rough = (most || 1) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * unit).find((candidate) => candidate >= rough * 0.999);
  const count = Math.max(1, Math.ceil((most || 1) / step - 1e-9));
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

const numbers = (series) => series.values.map(([at, text]) => [at, Number(text)]);
const last = (series) => numbers(series).findLast(([, value]) => Number.isFinite(value))?.[1];

/** Points in a row that follow each other: where there is no number, the line breaks off. */
function segments(points, longest) {
  const parts = [[]];
  let before = -Infinity;
  for (const [at, value] of points) {
    if (!Number.isFinite(value)) continue;
    if (at - before > longest) parts.push([]);
    parts.at(-1).push([at, value]);
    before = at;
  }
  return parts.filter((part) => part.length > 0);
}

function stat(panel, width, height) {
  const value = panel.series.length > 0 ? last(panel.series[0]) : NaN;
  return `<text class="stat" x="${width / 2}" y="${height / 2 + 22}">${escaped(shown(value, panel.unit))}</text>`;
}

/** Legends in rows that fit; what would need more than two is told by its number. */
function legend(series, width) {
  const rows = [[]];
  let x = 12;
  for (const [index, { legend: name }] of series.entries()) {
    const needed = 26 + name.length * 6.3;
    if (x + needed > width - 12) {
      if (rows.length === 2) {
        rows[1].push({ x, text: `+ ${series.length - index}` });
        break;
      }
      rows.push([]);
      x = 12;
    }
    rows.at(-1).push({ x, text: name, colour: COLOURS[index % COLOURS.length] });
    x += needed;
  }
  return rows;
}

function lines(panel, width, height, start, end) {
  const series = panel.series.filter((one) => numbers(one).some(([, value]) => Number.isFinite(value)));
  const rows = legend(series, width);
  const box = { left: AXIS.left, top: 30 + AXIS.top, right: width - AXIS.right, bottom: height - AXIS.bottom - LEGEND_ROW * rows.length - 6 };
  const most = Math.max(0, ...series.flatMap((one) => numbers(one).map(([, value]) => value).filter(Number.isFinite)));
  const marks = steps(most);
  const x = (at) => box.left + ((at - start) / (end - start)) * (box.right - box.left);
  const y = (value) => box.bottom - (value / marks.at(-1)) * (box.bottom - box.top);
  const grid = marks.map((mark) => `<line class="grid" x1="${box.left}" x2="${box.right}" y1="${y(mark)}" y2="${y(mark)}"/>
    <text class="axis" text-anchor="end" x="${box.left - 6}" y="${y(mark) + 4}">${escaped(shown(mark, panel.unit))}</text>`);
  const every = [5, 10, 15, 30, 60, 120, 300].find((seconds) => (end - start) / seconds <= 8) ?? 600;
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  const times = Array.from({ length: Math.floor((end - start) / every) + 1 }, (_, index) => index * every).map((seconds) =>
    `<text class="axis" text-anchor="middle" x="${x(start + seconds)}" y="${box.bottom + 15}">${clock(seconds)}</text>`);
  const drawn = series.map((one, index) => segments(numbers(one), 3).map((part) => {
    const points = part.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const colour = COLOURS[index % COLOURS.length];
    const area = `${x(part[0][0]).toFixed(1)},${box.bottom} ${points} ${x(part.at(-1)[0]).toFixed(1)},${box.bottom}`;
    return `<polygon points="${area}" fill="${colour}" opacity="0.07"/><polyline points="${points}" stroke="${colour}"/>`;
  }).join(''));
  const names = rows.map((row, line) => row.map(({ x: at, text, colour }) => {
    const level = height - 12 - LEGEND_ROW * (rows.length - 1 - line);
    const mark = colour ? `<rect x="${at}" y="${level - 6}" width="14" height="4" rx="2" fill="${colour}"/>` : '';
    return `${mark}<text class="name" x="${at + 18}" y="${level}">${escaped(text)}</text>`;
  }).join(''));
  return [...grid, ...times, ...drawn, ...names].join('');
}

function page({ title, start, end, panels }) {
  const boxes = panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos;
    const [width, height] = [w * CELL.width - CELL.gap, h * CELL.height - CELL.gap];
    const content = panel.type === 'stat' ? stat(panel, width, height) : lines(panel, width, height, start, end);
    return `<g transform="translate(${x * CELL.width + CELL.gap / 2},${y * CELL.height + 48})"><rect class="panel" width="${width}" height="${height}" rx="3"/>
      <text class="title" x="12" y="21">${escaped(panel.title)}</text>${content}</g>`;
  });
  const height = 48 + Math.max(...panels.map(({ gridPos }) => gridPos.y + gridPos.h)) * CELL.height;
  return `<!doctype html><meta charset="utf-8"><style>
    body { margin: 0 } svg { display: block; background: #111217; font-family: Inter, "DejaVu Sans", Arial, sans-serif }
    .panel { fill: #181b1f; stroke: #2a2d33 } .grid { stroke: #2a2d33 } polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round }
    .title { fill: #d8d9da; font-size: 13px; font-weight: 600 } .head { fill: #d8d9da; font-size: 19px; font-weight: 600 }
    .axis, .name { fill: #9fa2a8; font-size: 11px } .stat { fill: #73bf69; font-size: 34px; font-weight: 600; text-anchor: middle }
  </style><svg width="${24 * CELL.width}" height="${height}"><text class="head" x="14" y="31">${escaped(title)}</text>${boxes.join('')}</svg>`;
}

async function main([data, picture]) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
  try {
    const sheet = await browser.newPage();
    await sheet.setContent(page(JSON.parse(fs.readFileSync(data, 'utf8'))));
    await sheet.locator('svg').screenshot({ path: picture });
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error.stack);
  process.exitCode = 1;
});
