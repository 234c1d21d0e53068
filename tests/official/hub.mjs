// Proves with Microsoft's own client that the simulated hub is genuine: with and without negotiation it connects, authenticates,
// is refused with a wrong key, receives an event, answers a call, and reports the text of a Close record.
//
// Prints one line per step. `ready <way>` asks the caller to raise EVENT_911, whose description has to arrive unharmed; `ask <way>` to
// call addOne with 41, which is answered with 42; `close <way>` to close the connection with an error that says "maintenance".
// Environment: HUB_URL, COMMUNITY, KEY, SERVER, EXPECT (the description awaited). Exit code 0 if all went well.

import process from 'node:process';
import { HttpTransportType, HubConnectionBuilder, LogLevel } from '@microsoft/signalr';

const need = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};
const [url, community, key, server, expected] =
  [need('HUB_URL'), need('COMMUNITY'), need('KEY'), Number(need('SERVER')), need('EXPECT')];

const within = (ms, what, promise) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};
const check = (good, what) => {
  if (!good) throw new Error(`wrong: ${what}`);
  console.log(`ok ${what}`);
};

async function talk(way, options) {
  const connection = new HubConnectionBuilder().withUrl(url, options).configureLogging(LogLevel.Warning).build();
  const event = new Promise((resolve) => connection.on('pushEvent', resolve));
  const closed = new Promise((resolve) => connection.onclose((error) => resolve(error)));

  await within(10_000, 'connection', connection.start());
  check((connection.connectionId === null) === Boolean(options.skipNegotiation), `${way}: connection id`);

  const wrong = await within(10_000, 'answer', connection.invoke('authenticatev2', community, 'not-the-key', server));
  check(wrong.success === false && typeof wrong.error === 'string', `${way}: wrong key refused`);

  const failed = async (...call) => within(10_000, 'error', connection.invoke(...call).then(() => '', (error) => error.message));
  check((await failed('noSuchMethod')).includes("Unknown hub method 'noSuchMethod'"), `${way}: unknown method`);
  check((await failed('authenticatev2', community, key)).includes("Failed to invoke 'authenticatev2'"), `${way}: missing argument`);

  const right = await within(10_000, 'answer', connection.invoke('authenticatev2', community, key, server));
  check(right.success === true && right.error === null, `${way}: authenticated`);

  console.log(`ready ${way}`);
  const payload = await within(10_000, 'event', event);
  const body = typeof payload === 'string' ? JSON.parse(payload) : payload;
  check(body.type === 'EVENT_911' && body.key === key, `${way}: event received`);
  check(body.data.call.description === expected, `${way}: text unharmed`);

  const asked = new Promise((resolve) => connection.on('addOne', (n) => { resolve(n); return n + 1; }));
  console.log(`ask ${way}`);
  check(await within(10_000, 'question', asked) === 41, `${way}: asked for a result`);

  console.log(`close ${way}`);
  const error = await within(10_000, 'close', closed);
  check(String(error?.message).includes('maintenance'), `${way}: closed with the hub's text`);
}

try {
  await talk('negotiated', {});
  await talk('direct', { skipNegotiation: true, transport: HttpTransportType.WebSockets });
  console.log('done');
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
