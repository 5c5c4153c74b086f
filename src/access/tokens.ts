/** Access tokens of the management interfaces. */
import { timingSafeEqual } from 'node:crypto'
import { type Clock, hasEnded, toTime } from '../base/clock.ts'
import { hashToken, isToken, lookupOf, mintToken } from '../base/crypto/token.ts'
import { newId } from '../base/ids.ts'
import { refuse } from '../base/refusal.ts'
import { type AuditEntry, newAuditEntry } from '../model/access/audit.ts'
import type { ConfigReader, ConfigStore, StoredAccessToken, StoredGrant } from '../store/ports/config.ts'
import type { Resource } from '../store/ports/resource.ts'
import { isBuiltIn, readGrant } from './grant-text.ts'
import { grantsOfToken, placesOf, roleOf } from './identities.ts'
import type { Principal } from './principal.ts'

/** The audience of access tokens: management REST and Management MCP of this instance. */
export const AUDIENCE = 'management'

interface AccessTokenRequest {
  /** Grants in their compact form, such as `viewer`; see {@link readGrant}. */
  readonly grants: readonly string[]
  /** Milliseconds that it lives. */
  readonly ttlMs: number
  /** Whom it stands for, in the audit. */
  readonly name: string
  /** `access_token` for one that was asked for, `local_token` for that of a CLI beside its data directory. */
  readonly method: 'access_token' | 'local_token'
  readonly surface: 'cli' | 'system'
}

export interface AccessTokens {
  /** Issues a token and audits that; the token itself is not kept. Refuses with input_invalid. */
  issue(request: AccessTokenRequest): Promise<{ id: string; token: string; expiresAt: number }>
  /**
   * Who a bearer token stands for. Refuses with credentials_missing, credential_invalid or credential_expired;
   * why exactly is the inner reason, for the audit only.
   */
  verify(token: string | null): Promise<Principal>
  /** Ends a token at once and audits that. Refuses with not_found when no token has the lookup. */
  revoke(lookup: string, surface: AccessTokenRequest['surface']): Promise<void>
}

/** Access tokens of the management surfaces, kept as hashes. */
export function createAccessTokens(store: ConfigStore, clock: Clock): AccessTokens {
  return {
    async issue(request) {
      const grants = await toStoredGrants(request.grants, store.read)
      const { token, lookup, hash } = mintToken('at')
      const now = clock.now()
      const stored: StoredAccessToken = {
        id: newId('tok', clock),
        lookup,
        hash,
        name: request.name,
        grants,
        audience: AUDIENCE,
        method: request.method,
        created_at: now,
        expires_at: now + request.ttlMs,
        revoked_at: null,
      }
      await store.write(async (writer) => {
        await writer.putAccessToken(stored)
        await writer.appendAudit(
          toEntry(stored, request.surface, clock, 'create', [
            { op: 'add', path: '/grants', value: [...request.grants] },
            { op: 'add', path: '/expires_at', value: toTime(stored.expires_at) },
            { op: 'add', path: '/token', value: 'changed' },
          ]),
        )
      })
      return { id: stored.id, token, expiresAt: stored.expires_at }
    },

    async verify(token) {
      if (token === null || token === '')
        throw refuse('credentials_missing', {
          detail:
            'The management API requires an access token: send `Authorization: Bearer <access token>`. To get a token, sign in with `postern login`, or run `postern token --role admin --ttl 15m` on the machine with the data directory.',
        })
      const stored = isToken('at', token) ? await store.read.accessToken(lookupOf('at', token)!) : undefined
      return toPrincipal(proved('at', stored, token, clock.now()), store.read)
    },

    async revoke(lookup, surface) {
      await store.write(async (writer) => {
        const stored = await writer.accessToken(lookup)
        if (stored === undefined) throw refuse('not_found', { detail: 'There is no such access token.' })
        const now = clock.now()
        await writer.putAccessToken({ ...stored, revoked_at: now })
        await writer.appendAudit(
          toEntry(stored, surface, clock, 'revoke', [{ op: 'add', path: '/revoked_at', value: toTime(now) }]),
        )
      })
    },
  }
}

/** The stored token that a token is. Refuses with credential_invalid or credential_expired. */
export function proved<T extends StoredAccessToken>(
  kind: 'at' | 'pt',
  stored: T | undefined,
  token: string,
  now: number,
): T {
  const inner = faultOf(kind, stored, token)
  if (stored === undefined || inner !== null)
    throw refuse('credential_invalid', { inner: inner ?? 'unknown' })
  if (hasEnded(stored.created_at, stored.expires_at, now))
    throw refuse('credential_expired', { inner: 'expired' })
  return stored
}

/** Why a token proves nothing, for the audit only; null when it holds apart from its age. */
function faultOf(kind: 'at' | 'pt', stored: StoredAccessToken | undefined, token: string): string | null {
  if (!isToken(kind, token)) return isToken('pk', token) ? 'token of a profile' : 'malformed'
  if (stored === undefined) return 'unknown'
  if (!timingSafeEqual(Buffer.from(hashToken(token)), Buffer.from(stored.hash))) return 'wrong secret'
  if (stored.revoked_at !== null) return 'revoked'
  if (stored.audience !== AUDIENCE) return 'wrong audience'
  return stored.grants.every(({ role, permissions }) => isBuiltIn(role) || permissions !== undefined)
    ? null
    : 'unknown role'
}

/**
 * Grants in their compact form as they are kept with a token: collections, virtual MCPs and roles by id, so that another one that
 * takes a slug over is not meant. Refuses with input_invalid. @param find the roles that may be named
 */
export async function toStoredGrants(
  texts: readonly string[],
  reader: ConfigReader,
  find: (ref: string) => Promise<Resource<'roles'> | undefined> = (ref) => roleOf(ref, reader),
): Promise<StoredGrant[]> {
  const grants: StoredGrant[] = []
  for (const [index, text] of texts.entries()) {
    const pointer = `/grants/${index}`
    const { role, types, tags, ...places } = readGrant(text, pointer)
    const made = isBuiltIn(role) ? null : await find(role)
    if (made === undefined) throw absent(`role "${role}"`, pointer)
    const { ids, absent: missing } = await placesOf(places, reader)
    if (missing[0] !== undefined) throw absent(missing[0], pointer)
    const isWhole = types.length === 0 && ids.length === 0 && tags.length === 0
    // Stored by the schema of roles
    const what = made === null ? { role } : { role: made.id, permissions: made.spec.permissions }
    grants.push(isWhole ? what : { ...what, scope: { types, verbs: [], collections: ids, tags } })
  }
  return grants
}

function absent(what: string, pointer: string) {
  const reason = `there is no ${what}`
  return refuse('input_invalid', { detail: `${reason}.`, errors: [{ pointer, reason }] })
}

async function toPrincipal(stored: StoredAccessToken, reader: ConfigReader): Promise<Principal> {
  return {
    id: stored.id,
    type: 'user',
    name: stored.name,
    authMethod: stored.method,
    grants: await grantsOfToken(stored.grants, reader),
    expiresAt: stored.expires_at,
  }
}

function toEntry(
  token: StoredAccessToken,
  surface: AccessTokenRequest['surface'],
  clock: Clock,
  action: 'create' | 'revoke',
  diff: AuditEntry['diff'],
): AuditEntry {
  return newAuditEntry(clock, {
    actor: { id: 'system', type: 'system', name: token.name, auth_method: 'data_directory' },
    surface,
    operation: `access_tokens.${action}`,
    action: action === 'create' ? 'CREATE' : 'UPDATE',
    resource: { type: 'access_token', id: token.id, slug: null, collection: null },
    diff,
  })
}
