// What the page of a dev server does: says hello to its WebSocket, changes a module, and loads it
// again as told. client.js PAGE FILE: the page's address, and the file to be changed.
import {appendFileSync} from 'node:fs';
import {WebSocket} from 'ws';

const [page, file] = process.argv.slice(2);
const client = await (await fetch(page + '@vite/client')).text();
const token = /wsToken = "([^"]+)"/.exec(client)[1];
const origin = new URL(page).origin;
const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}/?token=${token}`, 'vite-hmr',
                             {origin});
const seen = [];
socket.on('unexpected-response', (_, answer) => {
  console.log(JSON.stringify({refused: answer.statusCode}));
  process.exit(0);
});
socket.on('message', async (text) => {
  const message = JSON.parse(text);
  seen.push(message.type);
  if (message.type === 'connected')
    appendFileSync(file, '\nexport const changed = "by hand";\n');
  if (message.type !== 'update')
    return;
  const {path, timestamp} = message.updates[0];
  const again = await (await fetch(`${origin}${path}?t=${timestamp}`)).text();
  console.log(JSON.stringify({seen, path, isNew: again.includes('by hand')}));
  process.exit(0);
});
