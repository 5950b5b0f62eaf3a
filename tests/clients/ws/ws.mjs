// Listens to a WebSocket with the client of npm `ws`: one JSON line for each thing that happens.
//
//   node ws.mjs URL COUNT [CREDIT…]
//
// Leaves after COUNT events. Grants each CREDIT once everything granted before was used up.
import WebSocket from 'ws';

const [url, count, ...grants] = process.argv.slice(2);
const say = (what) => console.log(JSON.stringify(what));
const socket = new WebSocket(url, process.env.SUBPROTOCOL === '' ? [] : [process.env.SUBPROTOCOL ?? 'cloudevents.json']);
let left = Number(count);
let granted = Number(new URL(url).searchParams.get('credit') ?? 64);

const grant = () => {
  if (granted > 0 || grants.length === 0) return;
  granted = Number(grants.shift());
  say({ grants: granted });
  socket.send(JSON.stringify({ credit: granted }));
};

socket.on('open', () => {
  say({ protocol: socket.protocol });
  grant();
});
socket.on('ping', () => say({ ping: true }));
socket.on('message', (data, binary) => {
  say({ binary, event: JSON.parse(data.toString()) });
  left -= 1;
  granted -= 1;
  if (left === 0) socket.close();
  else grant();
});
socket.on('unexpected-response', (_request, answer) => {
  let body = '';
  answer.on('data', (chunk) => { body += chunk; });
  answer.on('end', () => { say({ status: answer.statusCode, answer: JSON.parse(body) }); process.exit(0); });
});
socket.on('close', (code, reason) => { say({ closed: code, reason: reason.toString() }); process.exit(0); });
socket.on('error', (error) => { say({ error: error.message }); process.exit(1); });
