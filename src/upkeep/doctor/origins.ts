/** Checks the authorization servers of origins at which people have accounts, and whether accounts have ended. */
import type { ConnectedOrigin } from '../../access/mcp-access.ts'
import { createClock } from '../../base/clock.ts'
import { createEgress, NO_LISTENER } from '../../base/net/egress.ts'
import { createGuardedFetch, FetchFailure } from '../../base/net/guarded-fetch.ts'
import { SHARED } from '../../model/access/caller.ts'
import { isExchanging } from '../../model/mcp/origin.ts'
import { createDiscovery } from '../../oauth/federation/discovery.ts'
import { Unusable } from '../../oauth/federation/metadata.ts'
import { faultOfWay } from '../../oauth/federation/registrations.ts'
import { toConnected } from '../../operations/access/mcp-access.ts'
import type { Settings } from '../../settings.ts'
import type { ConfigReader } from '../../store/ports/config.ts'
import type { Finding } from '../../surfaces/cli/ports.ts'

/** Accounts of one origin that are looked at. */
const ACCOUNTS_MAX = 10_000

interface Judged extends Pick<Finding, 'state' | 'found' | 'fix'> {}

/** @param hasProvider an identity provider is set up */
export async function findOrigins(
  reader: Pick<ConfigReader, 'all' | 'connections' | 'auditEntries'>,
  settings: Pick<Settings, 'origin' | 'egressAllow'>,
  hasProvider: boolean,
  isNetworkAsked: boolean,
): Promise<Finding[]> {
  const active = toConnected(await reader.all('origins')).filter((one) => one.active)
  const judge = async (origin: ConnectedOrigin): Promise<Finding> => {
    const check = `origin ${origin.slug}`
    const server =
      origin.mode === 'user_key' ? null : await judgeServer(origin, settings, hasProvider, isNetworkAsked)
    if (server?.state === 'fail') return { check, ...server }
    const fault =
      (await judgeLastAttempt(origin, reader)) ?? (await judgeAccounts(origin, reader, settings.origin))
    if (fault !== null) return { check, ...fault }
    return { check, state: 'ok', found: server?.found ?? `keys of people (${origin.mode})`, fix: null }
  }
  return Promise.all(active.map(judge))
}

/** Discovery as before a connection; it registers nothing. */
async function judgeServer(
  origin: ConnectedOrigin,
  { origin: postern, egressAllow }: Pick<Settings, 'origin' | 'egressAllow'>,
  hasProvider: boolean,
  isNetworkAsked: boolean,
): Promise<Judged> {
  if (isExchanging(origin.mode) && !hasProvider) {
    const found = `the auth_mode ${origin.mode} needs an identity provider, but none is configured`
    return { state: 'fail', found, fix: 'Set POSTERN_OIDC_ISSUER, or change the auth_mode of the origin.' }
  }
  if (!isNetworkAsked)
    return { state: 'ok', found: `${origin.mode}; --network checks its authorization server`, fix: null }
  const egress = createEgress({ ...NO_LISTENER, allow: egressAllow })
  const discovery = createDiscovery({ fetch: createGuardedFetch(egress), clock: createClock() })
  const { oauth } = origin
  // How it proves itself is of no concern here
  const manual =
    oauth.client_id === null && oauth.client_credential === null ? null : { id: '', secret: null }
  try {
    const { server } = await discovery.find(origin, (one) =>
      isExchanging(origin.mode) ? null : faultOfWay(origin, manual, one, postern),
    )
    return { state: 'ok', found: `${origin.mode} at ${server.issuer}`, fix: null }
  } catch (error) {
    if (!(error instanceof Unusable) && !(error instanceof FetchFailure)) throw error
    const fix =
      'Correct the metadata of the MCP server or the members of `oauth` of the origin: see docs/connections.md.'
    return { state: 'fail', found: `accounts cannot be connected: ${error.message}`, fix }
  }
}

/** The last time that somebody has tried to connect an account, where Postern could not be a client. */
async function judgeLastAttempt(
  { id, slug }: ConnectedOrigin,
  reader: Pick<ConfigReader, 'auditEntries'>,
): Promise<Judged | null> {
  const { items } = await reader.auditEntries({ limit: 1, operation: 'oauth.connect', resource: id })
  const [last] = items
  if (last?.outcome !== 'denied' || last.error !== 'configuration_invalid') return null
  const fault = last.diff.find(({ path }) => path === '/fault')?.value
  const found = `the last attempt to connect, at ${last.time}, failed${typeof fault === 'string' ? `: ${fault}` : ''}`
  const fix = `Correct the cause, and connect an account at /connect/${slug} again.`
  return { state: 'warn', found: found.replace(/\.$/, ''), fix }
}

async function judgeAccounts(
  { id, slug, mode }: ConnectedOrigin,
  { connections }: Pick<ConfigReader, 'connections'>,
  postern: string,
): Promise<Judged | null> {
  const rows = await connections.list({ origin: id }, ACCOUNTS_MAX)
  const ended = rows.filter(({ state }) => state === 'refresh_failed')
  const page = `${postern}/connect/${slug}`
  if (mode === 'shared_oauth' && !rows.some(({ user }) => user === SHARED))
    return { state: 'warn', found: 'no shared account is connected', fix: `Connect it at ${page}.` }
  if (ended.length === 0) return null
  const found = `the authorization server ended ${ended.length} of ${rows.length} ${rows.length === 1 ? 'account' : 'accounts'}`
  const who = mode === 'shared_oauth' ? 'An administrator connects it' : 'Their people connect them'
  return {
    state: 'warn',
    found,
    fix: `${who} again at ${page}. The audit entries oauth.refresh_connection contain the reason.`,
  }
}
