import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClock } from '../../src/base/clock.ts'
import { mintToken } from '../../src/base/crypto/token.ts'
import { newId } from '../../src/base/ids.ts'
import type { Resource } from '../../src/store/ports/resource.ts'
import { openConfigStore } from '../../src/store/sqlite/config.ts'
import { type Manage, manage, startPostern } from './postern.ts'
import type { Processes } from './processes.ts'

export const COLLECTIONS = 50
export const ROUTES_EACH = 20
export const CLIENTS = 10_000

/** Base path of a collection and path of a route in it, without the last segment, which is a parameter. */
export const basePathOf = (collection: number): string => `/api${collection}`
export const pathOf = (route: number): string => `/v1/orders${route}`

/**
 * A data directory with 1,000 routes and 10,000 clients, each with a token, an allow list of 20 networks, a rate and
 * a quota. Everything is made once through management REST; the other clients are copies of the first in the store,
 * since one by one they would take minutes. Returns the tokens in the order of the clients.
 */
export async function seedGoverned(
  processes: Processes,
  data: string,
  upstreamPort: number,
): Promise<readonly string[]> {
  const first = await seedRoutes(processes, data, upstreamPort)
  const tokens = [first, ...(await copyClient(data, 1, CLIENTS))]
  writeFileSync(join(data, 'tokens.txt'), `${tokens.join('\n')}\n`)
  return tokens
}

/** The same with the first client alone. Returns its token. */
export async function seedRoutes(processes: Processes, data: string, upstreamPort: number): Promise<string> {
  const postern = await startPostern(processes, data, { core: 0, workers: 1 })
  const token = await createThroughRest(manage(postern, data), upstreamPort)
  await postern.process.end()
  return token
}

/** Returns the token of the one profile. */
async function createThroughRest(call: Manage, upstreamPort: number): Promise<string> {
  await call('POST', '/policies', {
    name: 'Gold',
    slug: 'gold',
    limits: [
      { name: 'second', kind: 'rate', max: 1_000_000, window: '1s' },
      { name: 'day', kind: 'quota', max: 1_000_000_000, window: '1d' },
    ],
  })
  await call('POST', '/credentials', {
    name: 'Backend',
    slug: 'backend',
    auth: { type: 'basic', username: 'backend', password: 's3cr3t' },
  })
  const slugs = Array.from({ length: COLLECTIONS }, (_, index) => `api${index}`)
  for (const [index, slug] of slugs.entries()) {
    await call('POST', '/collections', {
      name: slug,
      slug,
      base_path: basePathOf(index),
      upstream: { targets: [{ url: `http://127.0.0.1:${upstreamPort}` }] },
      credential: 'backend',
    })
    for (let route = 0; route < ROUTES_EACH; route++)
      await call('POST', '/proxies', {
        collection: slug,
        name: `Order ${route}`,
        methods: ['GET', 'POST'],
        path: `${pathOf(route)}/{id}`,
        status: 'published',
      })
    await call('POST', `/collections/${slug}/publish`, {})
  }
  await call('POST', '/clients', { name: 'Client 0', slug: 'client-0', collections: slugs, policy: 'gold' })
  const profile = await call('POST', '/profiles', {
    client: 'client-0',
    name: 'Live',
    slug: 'live',
    auth: { type: 'token' },
    ip_allowlist: [...Array.from({ length: 19 }, (_, index) => `10.${index}.0.0/16`), '127.0.0.0/8'],
    forward_identity: true,
  })
  return String(profile['token'])
}

/**
 * Adds clients to a directory of {@link seedRoutes} that no process uses. Returns their tokens.
 * @param from number of the first; they are called `client-${number}` @param to number behind the last
 * @param isSmall they may call two collections from anywhere; otherwise all collections from 20 networks, as the first
 */
export async function copyClient(data: string, from: number, to: number, isSmall = false): Promise<string[]> {
  const clock = createClock()
  const store = openConfigStore(join(data, 'config.db'))
  const tokens: string[] = []
  await store.write(async (writer) => {
    const client = only(await writer.bySlug('clients', 'client-0'))
    const profile = only(await writer.bySlug('profiles', 'live', client.id))
    const [token] = await writer.tokensOf([profile.id])
    if (token === undefined) throw new Error('the profile has no token')
    const all = (await writer.all('collections')).map(({ id }) => id)
    const collections = isSmall ? all.slice(0, 2) : all
    const ofClient = isSmall ? { collections } : {}
    const ofProfile = isSmall ? { ip_allowlist: [] } : {}
    const policy = only(await writer.bySlug('policies', 'gold'))
    for (let index = from; index < to; index++) {
      const clientId = newId('cli', clock)
      const profileId = newId('pro', clock)
      const slug = `client-${index}`
      await writer.insert({
        ...client,
        id: clientId,
        slug,
        name: `Client ${index}`,
        spec: { ...client.spec, ...ofClient, slug, name: `Client ${index}` },
      })
      await writer.link(clientId, [...collections, policy.id])
      await writer.insert({
        ...profile,
        id: profileId,
        parent: clientId,
        spec: { ...profile.spec, ...ofProfile, client: clientId },
      })
      await writer.link(profileId, [clientId])
      const minted = mintToken('pk')
      const { lookup, hash } = minted
      await writer.putToken({ ...token, id: newId('key', clock), profile: profileId, lookup, hash })
      tokens.push(minted.token)
    }
    await writer.doubtFragments()
    await writer.nextRevision()
  })
  await store.close()
  return tokens
}

/** Copies the one profile `live` of a directory that no process uses. Returns the tokens of the copies. */
export async function copyProfile(data: string, count: number): Promise<string[]> {
  const clock = createClock()
  const store = openConfigStore(join(data, 'config.db'))
  const tokens: string[] = []
  await store.write(async (writer) => {
    const profile = only(await writer.bySlug('profiles', 'live'))
    const [token] = await writer.tokensOf([profile.id])
    if (token === undefined) throw new Error('the profile has no token')
    for (let index = 0; index < count; index++) {
      const id = newId('pro', clock)
      const slug = `live-${index}`
      await writer.insert({ ...profile, id, slug, spec: { ...profile.spec, slug } })
      await writer.link(id, [String(profile.spec['client'])])
      const { token: text, lookup, hash } = mintToken('pk')
      await writer.putToken({ ...token, id: newId('key', clock), profile: id, lookup, hash })
      tokens.push(text)
    }
    await writer.doubtFragments()
    await writer.nextRevision()
  })
  await store.close()
  return tokens
}

function only(found: readonly Resource[]): Resource {
  const [one] = found
  if (one === undefined || found.length > 1) throw new Error('expected exactly one resource')
  return one
}
