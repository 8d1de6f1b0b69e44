// Who touches the board and plugs it in: lines on standard input, or the control socket of host/emulator/CONTROL.md.

import { chmodSync, unlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

const LONGEST_LINE = 1024;

function acts(board) {
  return {
    touch: () => board.touch(),
    plug: () => board.plug(),
    unplug: () => board.unplug(),
    'power-cycle': () => board.cyclePower(),
    state: () => false,
  };
}

// Reads words from standard input, and ends with it.
export function listenToTerminal(board) {
  const known = acts(board);
  createInterface({ input: process.stdin }).on('line', (line) => {
    if (line === 'quit') process.exit(0);
    if (Object.hasOwn(known, line)) known[line]();
    else console.error(`\`${line}\` is not known: ${Object.keys(known).join(', ')}, quit`);
  }).on('close', () => process.exit(0));
}

function answer(board, line) {
  const known = acts(board);
  let word;
  try { word = JSON.parse(line)?.do; } catch { return { error: 'no line of JSON' }; }
  if (typeof word !== 'string' || !Object.hasOwn(known, word)) return { error: `\`${word}\` is not known: ${Object.keys(known).join(', ')}` };
  const changed = known[word]();
  return { done: word, changed, state: { plugged: board.isPlugged, powered_ms: board.isPlugged ? Math.round(board.pico.now() / 1e6) : null } };
}

// Serves the control socket at `path`; calls `ready` when it can be reached.
export function listenToSocket(board, path, ready) {
  const server = createServer((connection) => {
    let waiting = '';
    connection.setEncoding('utf8').on('error', () => connection.destroy());
    connection.on('data', (text) => {
      waiting += text;
      for (let end = waiting.indexOf('\n'); end >= 0; end = waiting.indexOf('\n')) {
        connection.write(`${JSON.stringify(answer(board, waiting.slice(0, end)))}\n`);
        waiting = waiting.slice(end + 1);
      }
      if (waiting.length > LONGEST_LINE) connection.destroy();
    });
  });
  server.on('error', (error) => { console.error(`${path}: ${error.message}`); process.exit(1); });
  server.listen(path, () => { chmodSync(path, 0o600); ready(); });
  process.on('exit', () => { try { unlinkSync(path); } catch { /* It is gone already. */ } });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
}
