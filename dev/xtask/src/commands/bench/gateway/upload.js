// One load: so many clients, each on a connection of its own, upload a photo and wait for its label, again and again.
// URL, PHOTO, CONNECTIONS, SECONDS, RUN (unique, in each name) and SUMMARY (the file to write) come from the environment.
import http from 'k6/http';
import { check } from 'k6';

const photo = open(__ENV.PHOTO, 'b');

export const options = {
  scenarios: {
    upload: { executor: 'constant-vus', vus: Number(__ENV.CONNECTIONS), duration: `${__ENV.SECONDS}s`, gracefulStop: '60s' },
  },
  summaryTrendStats: ['med', 'p(99)', 'max'],
};

export default function () {
  const stem = `${__ENV.RUN}-${__VU}-${__ITER}`;
  const response = http.post(`${__ENV.URL}/upload`, { file: http.file(photo, `${stem}.jpg`, 'image/jpeg') });
  // The workers' label is the name: an answer to somebody else's upload would not pass.
  check(response, { 'the label is right': (r) => r.status === 200 && r.body.trim() === stem });
}

export function handleSummary(data) {
  return { [__ENV.SUMMARY]: JSON.stringify(data) };
}
