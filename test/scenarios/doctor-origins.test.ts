/** What `postern doctor` says of origins at which people have accounts. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { choose } from '../support/authorization.ts'
import { Browser } from '../support/browser.ts'
import { leaveFrom, signedInBrowser } from '../support/connect.ts'
import { eventually } from '../support/eventually.ts'
import { json, ScriptedServer } from '../support/scripted-as.ts'
import { examine } from '../support/upkeep.ts'
import { runCommand } from './cli.ts'
import { startTestServer, type TestServer } from './server.ts'

const SECRET = 'sk_live_0123456789abcdefghij'
const SERVERS = ['good', 'broken', 'closed', 'ended'] as const
let server: TestServer
let browser: Browser
const servers: Record<string, ScriptedServer> = {}

async function make(path: string, body: object): Promise<void> {
  const made = await server.manage('POST', path, body)
  assert.equal(made.status, 201, made.text)
}

before(async () => {
  for (const slug of SERVERS) servers[slug] = await new ScriptedServer().listen()
  server = await startTestServer()
  await choose(new Browser(server.running.origin), (await server.running.firstLink())!.url, {
    name: 'ann',
    email: 'ann@example.com',
  })
  browser = await signedInBrowser(server.running.origin, 'ann')
  for (const slug of SERVERS)
    await make('/origins', { name: slug, slug, url: servers[slug]!.mcp, auth_mode: 'user_oauth' })
  await make('/origins', { name: 'all', slug: 'all', url: servers['good']!.mcp, auth_mode: 'shared_oauth' })
  await make('/origins', { name: 'jag', slug: 'jag', url: servers['good']!.mcp, auth_mode: 'id_jag' })
  await make('/origins', { name: 'plain', slug: 'plain', url: servers['good']!.mcp, probe: false })
  await make('/virtual_mcps', {
    ...{ name: 'Desk', slug: 'desk', status: 'published', all_users: true },
    members: SERVERS.map((origin) => ({ origin })),
  })
})
after(async () => {
  await server?.stop()
  for (const one of Object.values(servers)) await one[Symbol.asyncDispose]()
})

/** Lines of the doctor, each with the fix below it. */
async function findings(
  ...flags: readonly string[]
): Promise<{ readonly code: number; readonly lines: string }> {
  const { code, out } = await runCommand(server.data, ['doctor', ...flags], { examine })
  return { code, lines: out }
}

const about = (lines: string, slug: string): string =>
  new RegExp(`^.*origin ${slug}: (?:.*\\n?)(?: .*\\n?)*`, 'm').exec(lines)?.[0] ?? ''

/** Up to the page of the authorization server, and back where it sends the browser there. */
async function connect(slug: string): Promise<string> {
  const leaving = await leaveFrom(browser, await browser.open(`/connect/${slug}`))
  const link = /<a href="(https?:[^"]+)">Continue to /.exec(leaving.text)?.[1]
  if (link === undefined) return leaving.text
  const { headers } = await fetch(link.replaceAll('&#38;', '&'), { redirect: 'manual' })
  return (await browser.open(headers.get('location')!)).text
}

test('the doctor names each origin whose accounts cannot be used, and what to do, without a secret', async () => {
  servers['broken']!.serverMetadata = { code_challenge_methods_supported: undefined }
  servers['closed']!.acts.set('/register', (_, outgoing) =>
    json(outgoing, 403, { error: 'access_denied', error_description: `ask for ${SECRET}` }),
  )
  assert.match(await connect('closed'), /refused the registration with status 403/)
  await connect('ended')
  // The origin takes no token of its own authorization server
  await eventually(async () => {
    const { json: listed } = await server.manage('GET', '/connections?all_users=true&origin=ended')
    return listed.items[0]?.state === 'refresh_failed'
  })
  const { code, lines } = await findings('--network')
  assert.equal(code, 1)
  assert.match(about(lines, 'good'), /^ok .*user_oauth at http/)
  assert.match(about(lines, 'broken'), /^fail .*S256[\s\S]*docs\/connections\.md/)
  assert.match(
    about(lines, 'closed'),
    /^warn .*refused the registration with status 403[\s\S]*\/connect\/closed/,
  )
  assert.match(about(lines, 'ended'), /^warn .*ended 1 of 1 account\n[\s\S]*\/connect\/ended/)
  assert.match(about(lines, 'all'), /^warn .*no shared account[\s\S]*\/connect\/all/)
  assert.match(about(lines, 'jag'), /^fail .*needs an identity provider[\s\S]*POSTERN_OIDC_ISSUER/)
  assert.equal(about(lines, 'plain'), '')
  const secrets = Object.values(servers).flatMap(({ accessTokens, refreshTokens }) => [
    ...accessTokens.keys(),
    ...refreshTokens.keys(),
  ])
  assert.ok(secrets.length > 0)
  for (const secret of [SECRET, ...secrets]) assert.ok(!lines.includes(secret), secret)
  const { text } = await server.manage('GET', '/audit?operation=oauth.connect')
  assert.ok(!text.includes(SECRET))
  assert.match(text, /refused the registration/)
})

test('without --network the doctor asks no origin', async () => {
  // The running server may probe its origins meanwhile
  const asked = () =>
    SERVERS.map((slug) => servers[slug]!.asked.filter((path) => path.includes('/.well-known/')).length)
  const before = asked()
  const { lines } = await findings()
  assert.deepEqual(asked(), before)
  assert.match(about(lines, 'broken'), /^ok .*--network/)
  assert.match(about(lines, 'ended'), /^warn .*ended 1 of 1 account\n/)
})

test('what is corrected is found no more', async () => {
  servers['broken']!.serverMetadata = {}
  servers['closed']!.acts.delete('/register')
  await connect('closed')
  const { lines } = await findings('--network')
  assert.match(about(lines, 'broken'), /^ok /)
  assert.doesNotMatch(about(lines, 'closed'), /registration/)
})
