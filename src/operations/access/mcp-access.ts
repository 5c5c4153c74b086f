import { z } from 'zod'
import type { KnownHost, McpAccess, McpOffer, OfferedProfile } from '../../access/mcp-access.ts'
import type { Principal } from '../../access/principal.ts'
import { teamsAbove, teamsOf } from '../../access/teams.ts'
import type { Clock } from '../../base/clock.ts'
import { newId } from '../../base/ids.ts'
import type { UserSpec } from '../../model/access.ts'
import { Name } from '../../model/display.ts'
import { HostSpec } from '../../model/host.ts'
import type { ProfileSpec } from '../../model/profile.ts'
import { NOUNS } from '../../model/resource-types.ts'
import { Slug, slugOf } from '../../model/slug.ts'
import type { VirtualMcpSpec } from '../../model/virtual-mcp.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Via } from '../engine/call.ts'
import { define, type Invoke } from '../engine/define.ts'
import { parseSpec } from '../engine/write-resource.ts'
import { hostKind } from '../kinds/hosts.ts'

/** Reads what is shared with people, and makes hosts as the system when an application comes for the first time. */
export function createMcpAccess(reader: ConfigReader, clock: Clock, invoke: Invoke): McpAccess {
  const known = async (software: string): Promise<KnownHost | undefined> => {
    const [host] = await reader.byKey('hosts', software, null)
    return host && toHost(host)
  }
  return {
    async offer(account, resource) {
      const user = await reader.byId('users', account)
      if (user === undefined || (user.spec as UserSpec).active !== true) return null
      const [first, client, profile] = resource.split('/').slice(2)
      if (first === undefined) return offerProfiles(reader, user)
      if (first !== '-') return offerVirtualMcp(reader, user, first)
      return offerProfile(reader, user, client ?? '', profile ?? '')
    },
    host: known,
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

function toHost({ id, slug, spec }: Resource): KnownHost {
  // Stored by the schema of this type
  return { id, slug, active: (spec as HostSpec).active }
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
    })
    const wanted = slugOf(name)
    const slug = Slug.safeParse(wanted).success ? wanted : 'application'
    const isTaken = (await context.whole.bySlug('hosts', slug)).length > 0
    const free = isTaken ? `${slug.slice(0, 54)}-${id.slice(-8)}` : slug
    await context.change.insert(hostKind, { id, slug: free, parent: null, spec }, true)
    return { id }
  },
})

/** Ids of the teams that the user is in, and of all above these. */
export async function ownTeams(
  reader: Pick<ConfigReader, 'all' | 'byId' | 'usersOf'>,
  { id, spec }: Resource,
): Promise<ReadonlySet<string>> {
  const direct = await teamsOf(reader, id, (spec as UserSpec).groups)
  const above = await Promise.all(direct.map((team) => teamsAbove(reader, team.id)))
  return new Set(above.flat().map((team) => team.id))
}

/** True for a virtual MCP to which members of any of these teams may sign in. @param own as of {@link ownTeams} */
export function isSharedWith(spec: Fields, own: ReadonlySet<string>): boolean {
  // Specs stored by earlier versions lack both
  const { teams = [], all_users = false } = spec as Partial<VirtualMcpSpec>
  return all_users || teams.some((team) => own.has(team))
}

async function offerVirtualMcp(reader: ConfigReader, user: Resource, slug: string): Promise<McpOffer | null> {
  const [found] = await reader.bySlug('virtual_mcps', slug)
  if (found?.status !== 'published') return null
  if (!isSharedWith(found.spec, await ownTeams(reader, user))) return null
  // Stored by the schema of this type
  const { name, members } = found.spec as VirtualMcpSpec
  const origins = await Promise.all(
    members.filter(({ active }) => active).map(({ origin }) => reader.byId('origins', origin)),
  )
  return { kind: 'virtual_mcp', id: found.id, name, origins: origins.flatMap((origin) => origin?.name ?? []) }
}

/** All profiles that name the user, or a team of theirs. */
async function offerProfiles(reader: ConfigReader, user: Resource): Promise<McpOffer | null> {
  const teams = await ownTeams(reader, user)
  const users = await Promise.all([user.id, ...teams].map((id) => reader.usersOf(id)))
  const found = new Map(
    users
      .flat()
      .filter(({ type }) => type === 'profiles')
      .map((profile) => [profile.id, profile]),
  )
  const profiles: OfferedProfile[] = []
  for (const profile of found.values())
    if (isNamed(profile, user, teams)) profiles.push(await toOffered(reader, profile))
  return profiles.length === 0 ? null : { kind: 'profiles', profiles }
}

async function offerProfile(
  reader: ConfigReader,
  user: Resource,
  client: string,
  slug: string,
): Promise<McpOffer | null> {
  const [owner] = await reader.bySlug('clients', client)
  const [profile] = owner === undefined ? [] : await reader.bySlug('profiles', slug, owner.id)
  if (profile === undefined || !isNamed(profile, user, await ownTeams(reader, user))) return null
  return { kind: 'profiles', profiles: [await toOffered(reader, profile)] }
}

function isNamed({ spec }: Resource, { id }: Resource, teams: ReadonlySet<string>): boolean {
  const among = (spec as Partial<ProfileSpec>).agent_sign_in ?? null
  return among !== null && (among.users.includes(id) || among.teams.some((team) => teams.has(team)))
}

async function toOffered(reader: ConfigReader, { id, name, parent }: Resource): Promise<OfferedProfile> {
  const client = await reader.byId('clients', parent ?? '')
  return { id, name: `${client?.name ?? ''}: ${name}` }
}
