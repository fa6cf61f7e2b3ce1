// A real OpenID provider on loopback for tests: node provider.mjs PORT REDIRECT_URI PEOPLE, where PEOPLE is JSON: claims by login.
// Its development pages take any password; who is not among the people is nobody.
import Provider from "oidc-provider";

const [port, redirectUri, people] = process.argv.slice(2);
const known = JSON.parse(people);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id: "radiolucent", client_secret: "a secret of the tests: long, and with % in it", redirect_uris: [redirectUri] },
  ],
  pkce: { required: () => true },
  scopes: ["openid", "groups"],
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], groups: ["groups", "sites"] },
  findAccount: (_context, id) => (known[id] ? { accountId: id, claims: () => ({ sub: id, ...known[id] }) } : undefined),
  cookies: { keys: ["of the tests"] },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
