// discord.js against the pretend Discord: if the people who write Discord's best-known library accept it, so may our bot's tests.
// Usage: node discord.mjs <base url> <token> <guild id> <channel id>. Speaks in lines of JSON; the Rust test plays the other part.
import { Client, Events, GatewayIntentBits, MessageFlags } from 'discord.js';
import { createInterface } from 'node:readline';

const [base, token, guildId, channelId] = process.argv.slice(2);
const say = (step, more = {}) => console.log(JSON.stringify({ step, ...more }));

const client = new Client({
  intents: [GatewayIntentBits.Guilds, GatewayIntentBits.GuildMessages, GatewayIntentBits.MessageContent],
  rest: { api: `${base}/api` },
});

client.on(Events.Error, (error) => say('error', { error: String(error) }));
client.on(Events.MessageCreate, (message) => {
  if (message.author.bot) return;
  say('message', { content: message.content, author: message.author.displayName, channel: message.channelId });
});
client.on(Events.InteractionCreate, async (interaction) => {
  if (interaction.isAutocomplete()) {
    const focused = interaction.options.getFocused(true);
    await interaction.respond([{ name: `${focused.name}: ${focused.value}`, value: 'chosen' }]);
  } else if (interaction.isChatInputCommand()) {
    const target = interaction.options.getChannel('channel', true);
    const answer = { sub: interaction.options.getSubcommand(), channel: target.name, event: interaction.options.getString('event') };
    await interaction.deferReply({ flags: MessageFlags.Ephemeral });
    await interaction.editReply({
      content: JSON.stringify(answer),
      components: [{ type: 1, components: [{ type: 2, style: 1, label: 'Again', custom_id: 'again' }] }],
    });
  } else if (interaction.isButton()) {
    await interaction.showModal({
      custom_id: 'form',
      title: 'Form',
      components: [{ type: 1, components: [{ type: 4, custom_id: 'why', label: 'Why', style: 1 }] }],
    });
  } else if (interaction.isModalSubmit()) {
    await interaction.reply({ content: `because ${interaction.fields.getTextInputValue('why')}` });
  }
});

createInterface({ input: process.stdin }).on('line', async (line) => {
  if (line === 'quit') {
    await client.destroy();
    process.exit(0);
  }
});

client.once(Events.ClientReady, async () => {
  try {
    const guild = client.guilds.cache.get(guildId);
    say('ready', { user: client.user.username, guild: guild?.name, channel: guild?.channels.cache.get(channelId)?.name });
    await guild.commands.set([
      {
        name: 'alerts',
        description: 'Alerts',
        options: [
          {
            type: 1,
            name: 'add',
            description: 'Add one',
            options: [
              { type: 7, name: 'channel', description: 'Where', required: true },
              { type: 3, name: 'event', description: 'What', autocomplete: true },
            ],
          },
        ],
      },
    ]);
    const channel = await client.channels.fetch(channelId);
    const sent = await channel.send({
      content: 'hello from discord.js',
      embeds: [{ title: 'A card', fields: [{ name: 'a', value: 'b' }], image: { url: 'attachment://dot.txt' } }],
      files: [{ attachment: Buffer.from('dot'), name: 'dot.txt', description: 'a dot' }],
    });
    await sent.edit({ content: 'edited by discord.js' });
    const history = await channel.messages.fetch({ limit: 10 });
    const thread = await sent.startThread({ name: 'a thread' });
    await thread.send('in the thread');
    await thread.setArchived(true);
    say('sent', { id: sent.id, file: sent.attachments.first()?.name, seen: history.get(sent.id)?.content, thread: thread.archived });
    let refused;
    try {
      await channel.send({ content: 'x'.repeat(2001) });
    } catch (error) {
      refused = error.code;
    }
    // Seven posts through a bucket of five: the library reads the headers and waits, without ever seeing a 429.
    const began = Date.now();
    let limited = 0;
    client.rest.on('rateLimited', () => (limited += 1));
    for (let i = 0; i < 7; i += 1) await channel.send(`burst ${i}`);
    say('done', { refused, limited, ms: Date.now() - began });
  } catch (error) {
    say('error', { error: String(error?.stack ?? error) });
  }
});

await client.login(token);
