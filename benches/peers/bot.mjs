// A dispatch bot as people write it with the best-known libraries: one embed per event, nothing stored, nothing edited.
// Environment: DISCORD_API, TOKEN, CHANNELS ({"server": "channel id"}), POSTS (event types, with commas), PER_SECOND (the library's own
// limit), KEY, COMMUNITY, HUB_URL (empty = no hub).
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

// The packages are those that the tests have locked.
const require = createRequire(new URL('../../tests/official/package.json', import.meta.url));
const { HubConnectionBuilder, LogLevel } = require('@microsoft/signalr');
const { Client, EmbedBuilder, Events, GatewayIntentBits } = require('discord.js');

const { DISCORD_API, TOKEN, KEY, COMMUNITY, HUB_URL } = process.env;
const channels = JSON.parse(process.env.CHANNELS);
const posts = new Set(process.env.POSTS.split(','));

const client = new Client({
  intents: [GatewayIntentBits.Guilds],
  rest: { api: `${DISCORD_API}/api`, globalRequestsPerSecond: Number(process.env.PER_SECOND) },
});
client.on(Events.Error, (error) => console.error(error));

function embed(event) {
  const data = Array.isArray(event.data) ? event.data[0] : event.data;
  if (event.type === 'EVENT_911') {
    const { call } = data;
    return new EmbedBuilder()
      .setTitle(`911 #${call.callId}`)
      .setColor(0xed4245)
      .setDescription(call.description)
      .addFields({ name: 'Location', value: call.location, inline: true }, { name: 'Caller', value: call.caller || 'Unknown', inline: true })
      .setTimestamp();
  }
  if (event.type === 'EVENT_DISPATCH_NEW') {
    const { dispatch } = data;
    return new EmbedBuilder()
      .setTitle(`Call #${dispatch.callId} ${dispatch.title}`)
      .setColor(0x5865f2)
      .setDescription(dispatch.description)
      .addFields(
        { name: 'Code', value: dispatch.code, inline: true },
        { name: 'Address', value: dispatch.address, inline: true },
        { name: 'Postal', value: dispatch.postal, inline: true },
        { name: 'Priority', value: String(dispatch.priority), inline: true },
      )
      .setTimestamp();
  }
  return new EmbedBuilder().setTitle(event.type).setColor(0xed4245).setDescription(JSON.stringify(data).slice(0, 4000)).setTimestamp();
}

async function take(server, event) {
  if (event.key !== KEY || !posts.has(event.type) || !channels[server]) return;
  try {
    const channel = await client.channels.fetch(channels[server]);
    await channel.send({ embeds: [embed(event)], allowedMentions: { parse: [] } });
  } catch (error) {
    console.error(error);
  }
}

async function listen(server) {
  const hub = new HubConnectionBuilder().withUrl(HUB_URL).configureLogging(LogLevel.Warning).withAutomaticReconnect().build();
  hub.on('pushEvent', (event) => take(server, typeof event === 'string' ? JSON.parse(event) : event));
  await hub.start();
  const answer = await hub.invoke('authenticatev2', COMMUNITY, KEY, server);
  if (!answer.success) throw new Error(answer.error);
}

const http = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    let event;
    try {
      event = JSON.parse(body);
    } catch {
      response.writeHead(400).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/plain' }).end('ok');
    take(new URL(request.url, 'http://localhost').searchParams.get('server') ?? '1', event);
  });
});

client.once(Events.ClientReady, async () => {
  if (HUB_URL) await Promise.all(Object.keys(channels).map((server) => listen(Number(server))));
  http.listen(0, '127.0.0.1', () => console.log(`ready ${http.address().port}`));
});
await client.login(TOKEN);
