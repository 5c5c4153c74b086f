import { type Agent, type Agents, isAgentId } from '../../access/agents.ts'
import type { Clock } from '../../base/clock.ts'
import { type BindingSpec, fingerprintOfKeys } from '../../model/access/host.ts'
import type { ConfigReader, StoredToken } from '../../store/ports/config.ts'
import { membershipsOf, reasonsAmong } from './shared-with.ts'

type Credential = Agent['credential']

/** Reads bindings as clients of the authorization server. */
export function createAgents(reader: ConfigReader, clock: Clock): Agents {
  /** Null where nothing proves the agent now. */
  async function credentialOf(id: string, { keys = [] }: Partial<BindingSpec>): Promise<Credential | null> {
    const now = clock.now()
    if (keys.length > 0) {
      const live = keys.flatMap(({ retires_at, ...key }) =>
        typeof retires_at === 'string' && Date.parse(retires_at) <= now ? [] : [key],
      )
      if (live.length === 0) return null
      return { name: fingerprintOfKeys(keys), secretHash: null, keys: live, expiresAt: null }
    }
    const token = (await reader.tokensOf([id])).find((one) => isLive(one, now))
    if (token === undefined) return null
    return { name: token.lookup, secretHash: token.hash, keys: [], expiresAt: token.expires_at }
  }

  return {
    async find(id) {
      if (!isAgentId(id)) return undefined
      const binding = await reader.byId('bindings', id)
      if (binding === undefined) return undefined
      // Stored by the schemas of these types
      const spec = binding.spec
      const { active, virtual_mcp, user, acts_for = null } = spec
      const host = await reader.byId('hosts', binding.parent ?? '')
      if (!active || host?.spec?.active !== true) return undefined
      const opened = await reader.byId('virtual_mcps', virtual_mcp)
      const credential = await credentialOf(id, spec)
      if (host === undefined || opened?.status !== 'published' || credential === null) return undefined
      return {
        id,
        host: { id: host.id, slug: host.slug, name: host.name },
        resource: `/mcp/${opened.slug}`,
        user,
        actsForPeople: acts_for !== null,
        credential,
      } satisfies Agent
    },

    async mayActFor({ id }, account) {
      const binding = await reader.byId('bindings', id)
      const user = await reader.byId('users', account)
      const among = binding?.spec?.acts_for ?? null
      if (user === undefined || user.spec.active !== true) return false
      return reasonsAmong(among, account, await membershipsOf(reader, user)).length > 0
    },

    async mayPersonUse(host, resource, account) {
      const found = await reader.byId('hosts', host)
      if (found?.spec?.active !== true) return false
      const [opened] = await reader.bySlug('virtual_mcps', resource.slice('/mcp/'.length))
      return (await reader.all('bindings', host)).every(({ spec }) => {
        const { active, virtual_mcp, user, acts_for = null } = spec
        const isOff = !active && virtual_mcp === opened?.id && acts_for === null
        return !(isOff && (user === null || user === account))
      })
    },
  }
}

function isLive({ revoked_at, expires_at, retires_at }: StoredToken, now: number): boolean {
  return revoked_at === null && (expires_at ?? now + 1) > now && (retires_at ?? now + 1) > now
}
