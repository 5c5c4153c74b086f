/** Stories that are told at each door: by assistants, by programs and on the command line. The same is done, and the same is noted. */
import assert from 'node:assert/strict'
import type { TestServer } from '../scenarios/server.ts'
import { addUser, consent, register, tokensFor } from './authorization.ts'
import { AUTHORIZED_PEERS } from './authorized-clients.ts'
import { Browser } from './browser.ts'
import { cliDoor, type Door, mcpDoor, restDoor } from './doors.ts'

/** The server as the equipment of sign-in takes it. */
export function siteOf(server: TestServer) {
  const { origin } = server.running
  const manage = async (method: string, path: string, body?: unknown) => {
    const reply = await server.manage(method, path, body)
    return { status: reply.status, headers: reply.headers, body: reply.json }
  }
  return { origin, manage }
}

/** Somebody new with a grant, at each door: the assistant finds its way to sign in by the URL alone. */
export async function doorsOf(
  server: TestServer,
  name: string,
  grant: object,
): Promise<{ readonly doors: readonly Door[]; close(): Promise<void> }> {
  const { origin } = server.running
  const browser = new Browser(origin)
  await addUser(siteOf(server), name)
  const granted = await server.manage('POST', '/grants', { user: name, name: `${name} may`, ...grant })
  assert.equal(granted.status, 201, granted.text)
  const assistant = await AUTHORIZED_PEERS['SDK v2, legacy era'].connect(
    `${origin}/management/mcp`,
    async (url) => (await consent(browser, url, name)).url,
  )
  const token = await tokenOf(server, name, browser)
  const doors = [mcpDoor(assistant), restDoor(origin, token), cliDoor(origin, token)]
  return { doors, close: () => assistant.close() }
}

/** A token for the doors of programs and of the command line. */
export async function tokenOf(
  server: TestServer,
  name: string,
  browser: Browser,
  more: { readonly scope?: string } = {},
): Promise<string> {
  const { origin } = server.running
  const client = await register(origin)
  const wanted = { resource: `${origin}/management/v1`, ...more }
  return (await tokensFor(origin, browser, client, wanted, name)).access_token
}

export interface Entry {
  readonly id: string
  readonly operation: string
  readonly action: string
  readonly surface: string
  readonly outcome: string
  readonly reason: string | null
  readonly actor: { readonly name: string; readonly type: string }
  readonly resource: { readonly type: string; readonly slug: string | null }
  readonly diff: readonly { readonly op: string; readonly path: string }[] | null
}

/** Audit entries of an actor at a door, newest first. */
export async function entriesOf(server: TestServer, actor: string, door: Door): Promise<readonly Entry[]> {
  const { json, text } = await server.manage('GET', `/audit?actor=${actor}&surface=${door.name}&limit=200`)
  assert.ok(Array.isArray(json?.items), text)
  return json.items
}

interface Told {
  readonly operation: string
  readonly action: string
  readonly outcome: string
  readonly actor: string
  readonly type: string
  readonly slug: string | null | undefined
  readonly reason: string | null
  readonly paths: readonly string[] | undefined
}

/** What entries say, oldest first, without what names the door. */
function toldBy(entries: readonly Entry[], suffix: string): Told[] {
  return (
    entries
      // A model gets a link to a secret in the place of the secret
      .filter(({ operation }) => !operation.startsWith('secret_links.'))
      .map(({ operation, action, outcome, actor, resource, reason, diff }) => ({
        operation,
        action,
        outcome,
        actor: `${actor.type} ${actor.name}`,
        reason: reason?.replace(suffix, '') ?? null,
        type: resource.type,
        slug: resource.slug?.replace(suffix, ''),
        paths: diff?.map(({ op, path }) => `${op} ${path.replace(/(key|req)_\w+/g, '$1')}`),
      }))
      .reverse()
  )
}

/** Runs a story at each door, and holds that their trails differ in nothing else. */
export async function atEachDoor(
  server: TestServer,
  actor: string,
  which: readonly Door[],
  story: (door: Door, suffix: string) => Promise<void>,
): Promise<readonly Told[]> {
  const trails: Told[][] = []
  for (const [index, door] of which.entries()) {
    const suffix = `-${['assistant', 'program', 'terminal'][index]}`
    const before = new Set((await entriesOf(server, actor, door)).map(({ id }) => id))
    await story(door, suffix)
    const added = (await entriesOf(server, actor, door)).filter(({ id }) => !before.has(id))
    trails.push(toldBy(added, suffix))
  }
  for (const trail of trails) assert.deepEqual(trail, trails[0])
  for (const told of trails[0]!) assert.equal(told.actor, `user ${actor}`)
  return trails[0]!
}

/** The answer of an operation that succeeds. */
export async function done(door: Door, ...[name, input, options]: Parameters<Door['run']>) {
  const { ok, output } = await door.run(name, input, options)
  assert.ok(ok, `${name} at ${door.name}: ${JSON.stringify(output)}`)
  return output
}

/** The problem of an operation that is refused. */
export async function refusedWith(
  code: string,
  door: Door,
  ...[name, input, options]: Parameters<Door['run']>
) {
  const { ok, output } = await door.run(name, input, options)
  assert.deepEqual([ok, output.code], [false, code], `${name} at ${door.name}: ${JSON.stringify(output)}`)
  return output
}

/** The token of a new profile; models get a link in its place, which a person opens. */
export async function tokenIn(profile: Record<string, unknown>): Promise<string> {
  if (typeof profile['token'] === 'string') return profile['token']
  const link = String(profile['token_link'])
  const page = await fetch(link, { method: 'POST' })
  const text = await page.text()
  const token = /pst_pk_[\w]+/.exec(text)?.[0]
  assert.ok(token !== undefined, `${JSON.stringify(profile)} ${page.status} ${text}`)
  return token
}
