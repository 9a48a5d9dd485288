// The fleet at a glance: numbers, and a line for each over the last minutes, drawn by hand.

const LONGEST_SPAN = 5 * 60_000;
const SHORTEST_SPAN = 30_000;
const SAMPLE_EVERY = 2000;
const CHART = { width: 200, height: 40, pad: 2 };

const SAMPLES = `classifierfleet.samples:${location.pathname}`;

let fleet = null;
/** Of the last minutes, also of those before the page was loaded again. */
const samples = JSON.parse(sessionStorage.getItem(SAMPLES) ?? '[]');

function drawFleet(view) {
  fleet = view;
  const { queue, workers, ratePerSecond: rate, message, name } = view;
  setText(document, '#fleet-name', name ?? 'ClassifierFleet');
  setText(document, '#queue-number', queue ? String(queue.visible + queue.delayed) : '–');
  setText(document, '#queue-more', queue ? `waiting, ${queue.inFlight} in work` : 'not known');
  setText(document, '#workers-number', workers ? String(workers.ready) : '–');
  setText(document, '#workers-more', workers ? moreOfWorkers(workers) : 'not known');
  setText(document, '#rate-number', rate === 0 ? '0' : rate >= 10 ? rate.toFixed(0) : rate.toFixed(1));
  setText(document, '#rate-more', 'images a second');
  element('fleet-message').hidden = !message;
  setText(document, '#fleet-message', message ?? '');
  drawSums();
}

function moreOfWorkers(workers) {
  const parts = [['starting', workers.starting], ['draining', workers.draining], ['stopped', workers.stopped]];
  const busy = parts.filter(([, count]) => count > 0).map(([word, count]) => `${count} ${word}`);
  return ['ready', ...(busy.length ? busy : [`of ${workers.desired} wanted`])].join(', ');
}

/** Time goes on in the charts though nothing happens. */
function sample() {
  const now = Date.now();
  samples.push({
    at: now,
    queue: fleet?.queue ? fleet.queue.visible + fleet.queue.delayed + fleet.queue.inFlight : 0,
    workers: fleet?.workers?.ready ?? 0,
    rate: fleet?.ratePerSecond ?? 0,
  });
  while (samples[0].at < now - LONGEST_SPAN) samples.shift();
  drawChart('queue-chart', 'queue', 'Images in the queue', now);
  drawChart('workers-chart', 'workers', 'Workers that are ready', now);
  drawChart('rate-chart', 'rate', 'Images a second', now);
}

function keepSamples() {
  sessionStorage.setItem(SAMPLES, JSON.stringify(samples));
}

function drawChart(id, field, title, now) {
  const { width, height, pad } = CHART;
  const highest = samples.reduce((most, point) => Math.max(most, point[field]), 0);
  const span = Math.max(SHORTEST_SPAN, now - samples[0].at);
  const x = (at) => width - ((now - at) / span) * width;
  const y = (value) => height - pad - (value / (highest || 1)) * (height - 2 * pad);
  const points = samples.map((point) => `${x(point.at).toFixed(1)} ${y(point[field]).toFixed(1)}`);
  const line = `M${points.join('L')}`;
  const chart = element(id);
  if (!chart.firstChild) {
    const paths = ['area', 'line'].map((kind) => document.createElementNS('http://www.w3.org/2000/svg', 'path')).entries();
    chart.append(...Array.from(paths, ([index, path]) => { path.setAttribute('class', index ? 'line' : 'area'); return path; }));
    chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  }
  const [area, stroke] = chart.children;
  area.setAttribute('d', `${line}L${width} ${height}L${x(samples[0].at).toFixed(1)} ${height}Z`);
  stroke.setAttribute('d', line);
  chart.setAttribute('aria-label', `${title} over the last minutes, at most ${Math.round(highest * 10) / 10}`);
}

