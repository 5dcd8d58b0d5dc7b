// A real OpenID Connect provider for the tests: npm `oidc-provider` with its own login and consent pages.
//
//     node oidc_provider.mjs ENTRY_OF_THE_PACKAGE REDIRECT_URI...
//
// It listens on a free port of this machine, prints `listening on URL`, and ends when its standard input does.
// Any password is right. Who signs in decides what it tells (`@example.org` is put behind the name):
//
//     ada               ada@example.org, verified
//     unverified-ada    the same address, not verified
//     silent-ada        the same address, without a word about its being verified
//     text-ada          the same address, "verified" as text
//     second-ada        the same address, verified: another person who has it now
//     nomail-ada        no address

import http from 'node:http';
import { pathToFileURL } from 'node:url';

const [entry, ...redirectUris] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(entry));

const VERIFIED = { unverified: false, silent: undefined, text: 'true', second: true };

function claims(login) {
  const [, kind, name] = /^(?:(unverified|silent|text|second|nomail)-)?(.*)$/.exec(login);
  const person = { sub: login, name: name.charAt(0).toUpperCase() + name.slice(1) };
  if (kind === 'nomail') return person;
  return { ...person, email: `${name}@example.org`, email_verified: kind ? VERIFIED[kind] : true };
}

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'trace', client_secret: 'nothing secret', redirect_uris: redirectUris }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    cookies: { keys: ['nothing secret'] },
    pkce: { required: () => true },
    findAccount: (_, login) => ({ accountId: login, claims: () => claims(login) }),
  });
  server.on('request', provider.callback());
  console.log(`listening on ${issuer}`);
});
process.stdin.resume().on('end', () => process.exit());
