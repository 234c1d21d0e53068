// The plainest thing that takes push events over HTTP: reads the body, parses it, answers 200. Stores nothing, tells nobody.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    try {
      JSON.parse(body);
      response.writeHead(200, { 'Content-Type': 'text/plain' });
      response.end('ok');
    } catch {
      response.writeHead(400);
      response.end();
    }
  });
});
server.listen(0, '127.0.0.1', () => console.log(`ready ${server.address().port}`));
