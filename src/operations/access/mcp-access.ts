import { z } from 'zod'
import type { Accounts } from '../../access/accounts.ts'
import type {
  ConnectedOrigin,
  KnownHost,
  McpAccess,
  McpOffer,
  OfferedProfile,
  OriginAccess,
} from '../../access/mcp-access.ts'
import type { Principal } from '../../access/principal.ts'
import { permits, UNPLACED } from '../../access/roles.ts'
import type { Clock } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import { HostSpec } from '../../model/access/host.ts'
import { OriginSpec } from '../../model/mcp/origin.ts'
import type { VirtualMcpSpec } from '../../model/mcp/virtual-mcp.ts'
import { Name, Slug, slugOf } from '../../model/members.ts'
import { NOUNS } from '../../model/resource-types.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Resource } from '../../store/ports/resource.ts'
import { readStoredSettings } from '../engine/approval-rules.ts'
import type { Via } from '../engine/call.ts'
import { define, type Invoke } from '../engine/define.ts'
import { parseSpec } from '../engine/write-resource.ts'
import { hostKind } from '../hosts/kind.ts'
import { attemptsOf, downSince } from '../origins/attempt.ts'
import { membershipsOf, reasonsFor, reasonsForProfile, sharedProfiles } from './shared-with.ts'

/** Reads what is shared with people, and makes hosts as the system when an application comes for the first time. */
export function createMcpAccess(reader: ConfigReader, clock: Clock, invoke: Invoke): McpAccess {
  const known = async (software: string): Promise<KnownHost | undefined> => {
    const [host] = await reader.byKey('hosts', software, null)
    return host && toHost(host)
  }
  return {
    async offer(account, resource) {
      const user = await reader.byId('users', account)
      if (user === undefined || user.spec.active !== true) return null
      const [first, client, profile] = resource.split('/').slice(2)
      if (first === undefined) return offerProfiles(reader, user)
      if (first !== '-') return offerVirtualMcp(reader, user, first)
      return offerProfile(reader, user, client ?? '', profile ?? '')
    },
    host: known,
    holdsNew: () => holdsNew(reader),
    async arrive({ software, name }) {
      const before = await known(software)
      if (before !== undefined) return before
      const requestId = newId('req', clock)
      const via: Via = { surface: 'system', requestId, ip: null, userAgent: null, http: null, agent: null }
      await invoke(ARRIVE, { software, name }, {}, DOOR, via)
      return (await known(software))!
    },
  }
}

/** Who acts where an application comes for the first time. */
const DOOR: Principal = {
  id: 'system',
  type: 'system',
  name: 'authorization server',
  authMethod: 'sign_in',
  grants: [{ role: 'admin' }],
  expiresAt: null,
}

function toHost({ id, slug, spec, revision }: Resource<'hosts'>): KnownHost {
  const { active } = spec
  // Any change by an administrator makes another revision
  return { id, slug, active, isHeld: !active && revision === 1 }
}

async function holdsNew(reader: Pick<ConfigReader, 'meta'>): Promise<boolean> {
  return (await readStoredSettings(reader)).new_hosts === 'hold'
}

/** Makes the host of an application. On no surface. */
const ARRIVE = define({
  resource: 'hosts',
  action: 'arrive',
  effect: 'create',
  tool: null,
  group: hostKind.group,
  summary: 'Create the host of an application at the first consent',
  input: z.strictObject({ software: z.string().min(1).max(2048), name: z.string().max(200) }),
  output: z.object({ id: z.string() }),
  permission: 'hosts:create',
  refuses: [],
  columns: [],
  subject: (_input, output) => ({ type: NOUNS.hosts, id: output?.id ?? null, slug: null }),
  handle: async ({ software, name }, context) => {
    // Two people may come at once
    const [before] = await context.whole.byKey('hosts', software, null)
    if (before !== undefined) return { id: before.id }
    const id = context.change.newId(hostKind)
    const called = Name.safeParse(name)
    const spec = parseSpec(HostSpec.omit({ slug: true }), {
      name: called.success ? called.data : 'Unnamed application',
      software,
      active: !(await holdsNew(context.whole)),
    })
    const wanted = slugOf(name)
    const slug = Slug.safeParse(wanted).success ? wanted : 'application'
    const isTaken = (await context.whole.bySlug('hosts', slug)).length > 0
    const free = isTaken ? `${slug.slice(0, 54)}-${id.slice(-8)}` : slug
    await context.change.insert(hostKind, { id, slug: free, parent: null, spec }, true)
    return { id }
  },
})

async function offerVirtualMcp(
  reader: ConfigReader,
  user: Resource<'users'>,
  slug: string,
): Promise<McpOffer | null> {
  const [found] = await reader.bySlug('virtual_mcps', slug)
  if (found?.status !== 'published') return null
  if (reasonsFor(found.spec, await membershipsOf(reader, user)).length === 0) return null
  // Stored by the schema of this type
  const { name, members } = found.spec
  const active = members.filter((member) => member.active)
  const origins = await Promise.all(active.map(({ origin }) => reader.byId('origins', origin)))
  const attempts = await attemptsOf(
    reader,
    active.map(({ origin }) => origin),
  )
  return {
    kind: 'virtual_mcp',
    id: found.id,
    name,
    origins: origins.flatMap((origin, index) => {
      if (origin === undefined) return []
      const { id, slug, name, spec } = origin
      const isReachable = downSince(spec, attempts.get(id)) === null
      // Specs stored by earlier versions do not have it
      return [{ id, slug, name, required: active[index]!.required === true, isReachable }]
    }),
  }
}

/** All profiles that name the user, or a team of theirs. */
async function offerProfiles(reader: ConfigReader, user: Resource<'users'>): Promise<McpOffer | null> {
  const profiles: OfferedProfile[] = []
  for (const { resource } of await sharedProfiles(reader, user, await membershipsOf(reader, user)))
    profiles.push(await toOffered(reader, resource))
  return profiles.length === 0 ? null : { kind: 'profiles', profiles }
}

async function offerProfile(
  reader: ConfigReader,
  user: Resource<'users'>,
  client: string,
  slug: string,
): Promise<McpOffer | null> {
  const [owner] = await reader.bySlug('clients', client)
  const [profile] = owner === undefined ? [] : await reader.bySlug('profiles', slug, owner.id)
  if (profile === undefined) return null
  if (reasonsForProfile(profile, user, await membershipsOf(reader, user)).length === 0) return null
  return { kind: 'profiles', profiles: [await toOffered(reader, profile)] }
}

async function toOffered(reader: ConfigReader, { id, name, parent }: Resource): Promise<OfferedProfile> {
  const client = await reader.byId('clients', parent ?? '')
  return { id, name: `${client?.name ?? ''}: ${name}` }
}

/** Reads which origins people may connect accounts at. */
export function createOriginAccess(
  reader: ConfigReader,
  accounts: Pick<Accounts, 'principalOf'>,
): OriginAccess {
  async function ofVirtualMcps(virtualMcps: readonly Resource[]): Promise<Resource[]> {
    const ids = virtualMcps.flatMap(({ spec }) =>
      // Stored by the schema of this type
      (spec as VirtualMcpSpec).members.filter(({ active }) => active).map(({ origin }) => origin),
    )
    const found = await Promise.all([...new Set(ids)].map((id) => reader.byId('origins', id)))
    return found.filter((origin) => origin !== undefined)
  }

  return {
    async offered(account) {
      const user = await reader.byId('users', account)
      if (user?.spec['active'] !== true) return []
      const memberships = await membershipsOf(reader, user)
      const bound = (await reader.usersOf(account)).flatMap(({ type, spec }) =>
        type === 'bindings' ? [String(spec['virtual_mcp'])] : [],
      )
      const published = (await reader.all('virtual_mcps')).filter(({ status }) => status === 'published')
      const mine = published.filter(
        ({ id, spec }) => bound.includes(id) || reasonsFor(spec, memberships).length > 0,
      )
      return toConnected(await ofVirtualMcps(mine)).filter(({ mode }) => mode !== 'shared_oauth')
    },
    async shared(account) {
      const principal = await accounts
        .principalOf(account, { authMethod: 'session', expiresAt: null, ceiling: null })
        .catch(() => null)
      if (principal === null || !permits(principal, 'origins:update', UNPLACED)) return []
      return toConnected(await reader.all('origins')).filter(({ mode }) => mode === 'shared_oauth')
    },
    async byId(id) {
      const origin = await reader.byId('origins', id)
      return (origin && toConnected([origin])[0]) ?? null
    },
  }
}

/** Those of them that take accounts, in order of their names. */
export function toConnected(origins: readonly Resource[]): ConnectedOrigin[] {
  return origins
    .flatMap(({ id, slug, name, spec }) => {
      // Specs stored by earlier versions lack the members of accounts
      const { url, active, auth_mode: mode, oauth, key_header: keyHeader } = OriginSpec.parse(spec)
      if (url === null || mode === 'static') return []
      return [{ id, slug, name, active, url, mode, oauth, keyHeader }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
