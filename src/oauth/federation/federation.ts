/**
 * Postern as an OAuth client of the authorization servers of origins: connects, shows and ends accounts of people. The parts
 * are `authorization.ts`, `broker.ts`, `registrations.ts` and `exchanged.ts`.
 *
 * Ending a connection revokes its tokens at the server, but never waits for the server beyond a bound: the tokens are
 * forgotten here in any case.
 */
import { endStored } from '../../access/stored-connections.ts'
import type { UrlSource } from '../../base/net/egress.ts'
import { refuse } from '../../base/refusal.ts'
import { InLine } from '../../base/threads/in-line.ts'
import { SHARED } from '../../model/access/caller.ts'
import { isExchanging } from '../../model/mcp/origin.ts'
import type { StoredConnection } from '../../store/ports/connections.ts'
import { createAuthorization, switchedOff } from './authorization.ts'
import { createBroker, revokeAll } from './broker.ts'
import { createDiscovery, sourceOf } from './discovery.ts'
import { createExchanged } from './exchanged.ts'
import { hostOf, isBoundTo, newId, openTokens, sealKey } from './kept-tokens.ts'
import type { ConnectedOrigin, Federation, ShownConnection } from './port.ts'
import { createRegistrations } from './registrations.ts'
import { createTokenClient, type FederationParts } from './token-client.ts'

/** Milliseconds that ending a connection waits for the authorization server. */
const REVOCATION_MS = 5000
/** Revocations at one authorization server at the same time, and those that may wait at all. Beyond, tokens are only forgotten here. */
const REVOCATIONS_AT_ONCE = 16
const REVOCATIONS_MAX = 5000

/** Postern as OAuth client of the authorization servers of origins. */
export function createFederation(parts: FederationParts): Federation {
  const { connections, writeConnections, sealed, clock } = parts
  const tokens = createTokenClient(parts)
  const discovery = createDiscovery(parts)
  const registrations = createRegistrations({ ...parts, tokens })
  const authorization = createAuthorization({ ...parts, discovery, registrations, tokens })
  const broker = createBroker({ ...parts, discovery, registrations, tokens })
  const exchanged = createExchanged({ ...parts, discovery, registrations, tokens })

  // With an origin, the accounts of all people end at the same time
  const line = new InLine(REVOCATIONS_AT_ONCE)
  let revocations = 0
  let isOverfull = false

  /** @param origin null for one that was deleted */
  async function revokeKept(row: StoredConnection, origin: ConnectedOrigin | null): Promise<void> {
    const kept = openTokens(sealed, row)
    if (kept === null) return
    const { server, client } = kept
    const typedFor = (url: string): UrlSource => (origin === null ? 'discovered' : sourceOf(origin, url))
    await atMost(REVOCATION_MS, revokeAll(tokens, { server, client, sourceOf: typedFor }, kept))
  }

  return {
    authorization: authorization.authorization,
    async offer(user, origin) {
      if (isExchanging(origin.mode)) return null
      checkOAuth(user, origin)
      return authorization.offer(user, origin)
    },
    async begin(user, origin, by, returnTo, agreed) {
      if (isExchanging(origin.mode)) {
        if (user === SHARED) throw wrongMode(origin)
        const got = await exchanged.answer(user, origin, null)
        // The person has nothing to do
        if (got.ok) return new URL(returnTo, parts.postern)
        const code = got.code === 'connect_required' ? 'credential_invalid' : 'configuration_invalid'
        throw refuse(code, { detail: got.reason })
      }
      checkOAuth(user, origin)
      return authorization.begin(user, origin, by, returnTo, agreed)
    },
    finish: authorization.finish,
    async keepKey(user, origin, key) {
      if (origin.mode !== 'user_key' || user === SHARED) throw wrongMode(origin)
      if (!KEY.test(key))
        throw refuse('input_invalid', {
          errors: [{ pointer: '/key', reason: 'a key of 1 to 4096 visible ASCII characters' }],
        })
      const now = clock.now()
      const before = await writeConnections(async (writer) => {
        const current = await parts.origin(origin.id)
        const isSame = current?.active === true && current.url === origin.url && current.mode === origin.mode
        if (!isSame || !(await parts.mayConnect(user, origin.id, user)))
          throw refuse('configuration_invalid', {
            detail: `${origin.name} was changed in the meantime. Open the page again.`,
          })
        const found = await writer.one(user, origin.id)
        if (found?.active === false) throw switchedOff(origin)
        await writer.put({
          ...{ user, origin: origin.id, id: newId(), kind: 'key', state: 'connected', active: true },
          ...{ account_label: '', issuer: '', scope: '', expires_at: null, created_at: now, updated_at: now },
          sealed: sealKey(sealed, { user, origin: origin.id }, { key, host: hostOf(origin.url) }),
        })
        return found
      })
      if (before !== undefined) await parts.ended([before.id])
      parts.happened({ event: 'connected', user, origin: origin.id, reason: null, issuer: null })
    },
    async disconnect(user, origin) {
      const row = await writeConnections((writer) => endStored(writer, user, origin.id, clock))
      if (row === undefined) return false
      await parts.ended([row.id])
      const issuer = row.issuer === '' ? null : row.issuer
      parts.happened({ event: 'disconnected', user, origin: origin.id, reason: null, issuer })
      await revokeKept(row, origin)
      return true
    },
    async revoke(ended) {
      if (revocations >= REVOCATIONS_MAX) {
        if (!isOverfull)
          parts.warn(
            'Too many accounts were disconnected at the same time: not all tokens are revoked at their servers.',
          )
        isOverfull = true
        return
      }
      revocations++
      try {
        await line.run(ended.issuer, async () => revokeKept(ended, await parts.origin(ended.origin)))
      } catch {
        // The connection is deleted already, so its tokens are not used again
      }
      if (--revocations === 0) isOverfull = false
    },
    async shown(user, origin) {
      const row = await connections.one(user, origin)
      if (row === undefined) return NOT_CONNECTED
      const tokens = openTokens(sealed, row)
      const isRefreshed = tokens?.refresh != null
      return {
        state: row.active ? row.state : 'switched_off',
        accountLabel: row.account_label,
        connectedAt: row.created_at,
        // A token that is refreshed has no end that matters to people
        expiresAt: isRefreshed ? null : row.expires_at,
        lacked: tokens?.lacked ?? [],
        isBound: tokens === null ? null : isBoundTo(tokens.access, tokens.resource),
      }
    },
    async answer(user, id, refused) {
      try {
        const origin = await parts.origin(id)
        if (origin === null || !origin.active) return unavailable('The MCP server is not active.')
        const subject = origin.mode === 'shared_oauth' ? SHARED : user
        if (subject === SHARED && origin.mode !== 'shared_oauth')
          return unavailable(
            `Calls to ${origin.name} use the account of a person. Call with a token that acts for a person.`,
          )
        if (refused !== null) discovery.forget(id)
        const from = isExchanging(origin.mode) ? exchanged : broker
        return await from.answer(subject, origin, refused)
      } catch (error) {
        parts.warn(`A connection cannot be used: ${error instanceof Error ? error.message : 'fault'}.`)
        return unavailable('The connection cannot be used at the moment.')
      }
    },
  }
}

const NOT_CONNECTED: ShownConnection = {
  ...{ state: 'none', accountLabel: '', connectedAt: null, expiresAt: null },
  ...{ lacked: [], isBound: null },
}

const unavailable = (reason: string) =>
  ({ ok: false, code: 'credential_unavailable', reason, page: null }) as const

/** What one header can carry: visible ASCII, with spaces in between. */
const KEY = /^[!-~](?:[ -~]{0,4094}[!-~])?$/

/** Refuses with configuration_invalid. */
function checkOAuth(user: string, origin: ConnectedOrigin): void {
  const isShared = origin.mode === 'shared_oauth'
  if (!origin.active) throw refuse('configuration_invalid', { detail: `${origin.name} is not active.` })
  if ((!isShared && origin.mode !== 'user_oauth') || isShared !== (user === SHARED)) throw wrongMode(origin)
}

function wrongMode({ name, mode }: ConnectedOrigin) {
  return refuse('configuration_invalid', {
    detail: `${name} has the auth_mode ${mode}, which does not use this kind of connection.`,
  })
}

/** Waits for work, but no longer than `ms` milliseconds. Never rejects. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise((done) => {
    timer = setTimeout(done, ms)
  })
  await Promise.race([work.catch(() => undefined), end])
  clearTimeout(timer)
}
