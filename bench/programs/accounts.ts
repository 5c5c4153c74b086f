/**
 * The broker of accounts at origins, over a store on disk and an authorization server in this process. Prints its figures as JSON, as
 * {@link Figures}. Arguments: an empty directory, people.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ConnectedOrigin } from '../../src/access/mcp-access.ts'
import { createClock, createClockCell, moveClock } from '../../src/base/clock.ts'
import { createEgress } from '../../src/base/net/egress.ts'
import { createGuardedFetch } from '../../src/base/net/guarded-fetch.ts'
import { OriginSpec } from '../../src/model/mcp/origin.ts'
import { createFederation } from '../../src/oauth/federation/federation.ts'
import { type KeptTokens, sealTokens } from '../../src/oauth/federation/kept-tokens.ts'
import { createSealed } from '../../src/oauth/server/adapter.ts'
import { createLinks } from '../../src/shared-state/memory/links.ts'
import { openConfigStore } from '../../src/store/sqlite/config.ts'

export interface Figures {
  readonly connections: number
  /** Growth of the process while each token is asked for once; what the store caches is in it. */
  readonly memoryMb: number
  /** Microseconds of a first question for a token, which reads and opens the connection. */
  readonly firstUs: number
  /** Of the storm: questions, requests to the authorization server, those at the same time at most, and seconds. */
  readonly asked: number
  readonly refreshed: number
  readonly atOnce: number
  readonly stormSeconds: number
  readonly stormMemoryMb: number
}

const ORIGINS = ['notes', 'mail', 'files']
/** Questions that two gateway threads have under way at most. */
const ASKED_AT_ONCE = 1024
/** Calls that need each token in the storm, one after the other. */
const CALLS_EACH = 5
const LIFE_MS = 3_600_000
/** For which the authorization server works on a refresh. */
const ANSWER_MS = 20
const ROWS_AT_ONCE = 2000

const [directory = '', people = '10000'] = process.argv.slice(2)
const cell = createClockCell()
const clock = createClock(cell)
const store = openConfigStore(join(directory, 'config.db'))
const sealed = createSealed(new Uint8Array(32).fill(1))

let refreshed = 0
let atOnce = 0
let running = 0
const server = createServer((request, response) => {
  running++
  atOnce = Math.max(atOnce, running)
  refreshed++
  request.resume().once('end', () =>
    setTimeout(() => {
      running--
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(
        JSON.stringify({
          access_token: `access-${refreshed}`,
          refresh_token: `refresh-${refreshed}`,
          token_type: 'Bearer',
          expires_in: LIFE_MS / 1000,
        }),
      )
    }, ANSWER_MS),
  )
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const origins = new Map(
  ORIGINS.map((slug): [string, ConnectedOrigin] => {
    const url = `${issuer}/mcp`
    const { oauth, key_header: keyHeader } = OriginSpec.parse({ name: slug, url, auth_mode: 'user_oauth' })
    return [slug, { id: slug, slug, name: slug, active: true, url, mode: 'user_oauth', oauth, keyHeader }]
  }),
)

const federation = createFederation({
  connections: store.read.connections,
  writeConnections: (work) => store.writeOAuth(({ connections }) => work(connections)),
  artifacts: store.read.oauth,
  writeArtifacts: (work) => store.writeOAuth(work),
  links: createLinks<string>(clock, { max: 100, ownMax: 5 }),
  sealed,
  clock,
  fetch: createGuardedFetch(createEgress({ allow: [], control: null, sockets: null })),
  origin: async (id) => origins.get(id) ?? null,
  asOnlyOne: (_key, work) => work(),
  mayConnect: async () => true,
  manualClient: async () => null,
  postern: 'https://gateway.example.com',
  ended: async () => {},
  happened() {},
  warn: (sentence) => console.error(sentence),
  pageOf: (slug) => slug,
  identity: null,
})

function tokensFor(user: string, origin: string): string {
  const tokens: KeptTokens = {
    grant: randomUUID(),
    generation: 1,
    access: `access of ${user}`.replaceAll(' ', '-'),
    refresh: `refresh-of-${user}`,
    obtainedAt: clock.now(),
    server: {
      issuer,
      authorizationEndpoint: `${issuer}/auth`,
      tokenEndpoint: `${issuer}/token`,
      registrationEndpoint: null,
      revocationEndpoint: null,
      userinfoEndpoint: null,
      authMethods: null,
      scopes: [],
      hasIssParameter: false,
      takesDocuments: false,
    },
    client: { id: 'postern', secret: null, method: 'none', by: 'dcr' },
    resource: `${issuer}/mcp`,
    host: issuer,
    asked: [],
    lacked: [],
    futile: [],
  }
  return sealTokens(sealed, { user, origin }, tokens)
}

const places = Array.from({ length: Number(people) }, (_, index) => `usr_${index}`).flatMap((user) =>
  ORIGINS.map((origin) => ({ user, origin })),
)
for (let at = 0; at < places.length; at += ROWS_AT_ONCE)
  await store.writeOAuth(async ({ connections }) => {
    for (const { user, origin } of places.slice(at, at + ROWS_AT_ONCE))
      await connections.put({
        user,
        origin,
        id: randomUUID(),
        kind: 'oauth',
        state: 'connected',
        active: true,
        account_label: user,
        issuer,
        scope: '',
        sealed: tokensFor(user, origin),
        expires_at: clock.now() + LIFE_MS,
        created_at: clock.now(),
        updated_at: clock.now(),
      })
  })

async function ask({ user, origin }: (typeof places)[number]): Promise<void> {
  const answer = await federation.answer(user, origin, null)
  if (!answer.ok) throw new Error(`${user} at ${origin}: ${answer.reason}`)
}

const rssMb = (): number => process.memoryUsage().rss / 1024 ** 2

globalThis.gc?.()
const before = rssMb()
const began = performance.now()
for (const place of places) await ask(place)
const firstUs = ((performance.now() - began) * 1000) / places.length
const memoryMb = rssMb() - before

// All tokens have ended while nobody could refresh them: all calls come back at the same time
moveClock(cell, LIFE_MS + 1000)
const stormBefore = rssMb()
const stormBegan = performance.now()
const calls = places.flatMap((place) => Array.from({ length: CALLS_EACH }, () => place)).values()
const askInTurn = async (): Promise<void> => {
  for (const place of calls) await ask(place)
}
await Promise.all(Array.from({ length: ASKED_AT_ONCE }, askInTurn))
const figures: Figures = {
  connections: places.length,
  memoryMb,
  firstUs,
  asked: places.length * CALLS_EACH,
  refreshed,
  atOnce,
  stormSeconds: (performance.now() - stormBegan) / 1000,
  stormMemoryMb: rssMb() - stormBefore,
}
console.log(JSON.stringify(figures))
await store.close()
server.closeAllConnections()
server.close()
