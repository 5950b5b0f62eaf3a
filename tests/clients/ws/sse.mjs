// Listens to server-sent events with the client of npm `eventsource`, which connects again by itself and says what it
// has seen last: one JSON line for each thing that happens.
//
//   node sse.mjs URL COUNT
import { EventSource } from 'eventsource';

const [url, count] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
const source = new EventSource(url);
let left = Number(count);

source.onopen = () => say({ open: true });
source.onmessage = (message) => {
  say({ id: message.lastEventId, event: JSON.parse(message.data) });
  left -= 1;
  if (left === 0) { source.close(); process.exit(0); }
};
source.onerror = (error) => {
  say({ error: error.message ?? 'lost', code: error.code });
  // A client that was refused for good does not come back.
  if (source.readyState === EventSource.CLOSED) process.exit(0);
};
