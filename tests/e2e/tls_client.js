// tls_client - what Node sees of the servers that tls_clients_test.py describes: a list of cases
// comes as JSON, a list of texts goes.
'use strict';
const fs = require('fs');
const tls = require('tls');

function see(t) {
  return new Promise((resolve) => {
    const [host, port] = t.address.split(':');
    const socket = tls.connect({
      host, port, servername: t.name, ca: fs.readFileSync(t.ca),
      cert: t.cert ? fs.readFileSync(t.cert) : undefined,
      key: t.key ? fs.readFileSync(t.key) : undefined,
      ALPNProtocols: t.alpn, maxVersion: t.version === '1.2' ? 'TLSv1.2' : 'TLSv1.3',
    });
    let got = '';
    socket.setTimeout(10000, () => socket.destroy(new Error('silence')));
    socket.on('secureConnect', () =>
      socket.write(`GET / HTTP/1.1\r\nHost: ${t.name}\r\nConnection: close\r\n\r\n`));
    socket.on('data', (data) => { got += data; });
    socket.on('error', (error) => resolve(`${error.code} ${error.message}`));
    socket.on('close', () => resolve(got.split('\r\n')[0] || 'closed'));
  });
}

async function main() {
  const seen = [];
  for (const t of JSON.parse(fs.readFileSync(0, 'utf8'))) {
    seen.push(await see(t));
  }
  process.stdout.write(JSON.stringify(seen));
}

main();
