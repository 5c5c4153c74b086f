/**
 * A one-time link holds a secret that an answer shows once, where a model would read the answer. It is in the memory
 * of the main thread for 15 minutes, sealed with a key made of the token in the link and found by a hash of this
 * token. A restart ends all links.
 */
import { hkdfSync, randomBytes } from 'node:crypto'
import type { Principal } from '../../access/principal.ts'
import { decrypt, encrypt } from '../../base/aes-gcm.ts'
import type { Clock } from '../../base/clock.ts'
import { Secret } from '../../base/secret.ts'
import { hashToken } from '../../base/token.ts'
import type { AuditEntry } from '../../model/audit.ts'
import { newAuditEntry } from '../../model/new-audit-entry.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Subject, Via } from './call.ts'
import { toCaller, toResource } from './trail.ts'

/** How long a link opens. */
export const LINK_MS = 15 * 60_000
/** Links that are kept at once, of all and of one principal: each holds a secret in memory. */
const LINKS_MAX = 1000
const OWN_LINKS_MAX = 100

/** What is kept and for whom; shown to whoever has the link. */
export interface LinkFacts {
  readonly subject: Subject
  /** Member of the answer that it stood in. */
  readonly member: string
  readonly principal: Pick<Principal, 'id' | 'type' | 'name' | 'authMethod'>
  readonly expiresAt: number
}

type Visit = Pick<Via, 'ip' | 'userAgent' | 'requestId'>

/**
 * Secrets that are shown once, kept for one reading by a person.
 *
 * Invariants:
 * 1. Memory holds neither the secret nor what opens it: a secret is sealed by a key made of its token, which only the
 *    link has, and is found by a hash of that.
 * 2. A link opens once, within its time. A restart forgets it: the secret is rotated then.
 * 3. Both that it was made and that it was opened are in the trail before anybody is told.
 */
export interface SecretLinks {
  /** The token that opens it; null while too many are kept. Rejects when the trail cannot be written. */
  keep(
    secret: Secret,
    about: Omit<LinkFacts, 'expiresAt' | 'principal'>,
    principal: Principal,
    via: Via,
  ): Promise<string | null>
  /** What the token would open; null for anything else. Spends nothing. */
  look(token: string): LinkFacts | null
  /** The secret, once; null for what opens nothing. Rejects, with nothing spent, when the trail cannot be written. */
  open(token: string, visit: Visit): Promise<Secret | null>
}

interface Kept {
  readonly facts: LinkFacts
  readonly sealed: Buffer
}

/** Links over a store, which holds their trail and nothing else of them. */
export function createSecretLinks(store: Pick<ConfigStore, 'write'>, clock: Clock): SecretLinks {
  const kept = new Map<string, Kept>()

  function forgetPast(): void {
    for (const [name, { facts }] of kept) if (facts.expiresAt <= clock.now()) kept.delete(name)
  }

  function find(token: string): Kept | undefined {
    const found = kept.get(hashToken(token))
    return found !== undefined && found.facts.expiresAt > clock.now() ? found : undefined
  }

  return {
    async keep(secret, about, principal, via) {
      forgetPast()
      const own = [...kept.values()].filter(({ facts }) => facts.principal.id === principal.id)
      if (kept.size >= LINKS_MAX || own.length >= OWN_LINKS_MAX) return null
      const token = randomBytes(32).toString('base64url')
      const { id, type, name, authMethod } = principal
      const facts = { ...about, principal: { id, type, name, authMethod }, expiresAt: clock.now() + LINK_MS }
      // Taken before the trail is written, so that many at once stay within the bounds
      kept.set(hashToken(token), { facts, sealed: encrypt(keyOf(token), secret.reveal(), '') })
      try {
        await store.write((writer) => writer.appendAudit(madeEntry(facts, via, clock)))
      } catch (error) {
        kept.delete(hashToken(token))
        throw error
      }
      return token
    },
    look: (token) => find(token)?.facts ?? null,
    async open(token, visit) {
      const found = find(token)
      if (found === undefined) return null
      // Gone before anything is waited for, so that two readers at once do not both read
      kept.delete(hashToken(token))
      try {
        await store.write((writer) => writer.appendAudit(openedEntry(found.facts, visit, clock)))
      } catch (error) {
        kept.set(hashToken(token), found)
        throw error
      }
      return new Secret(decrypt(keyOf(token), found.sealed, ''))
    },
  }
}

function keyOf(token: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', token, '', 'postern one-time secret', 32))
}

function madeEntry(facts: LinkFacts, via: Via, clock: Clock): AuditEntry {
  return newAuditEntry(clock, {
    ...toCaller(facts.principal, via),
    operation: 'secret_links.create',
    action: 'CREATE',
    resource: toResource(facts.subject),
    http: via.http && { ...via.http, status: 200 },
    detail: detailOf(facts),
  })
}

/** Who opened it is not known, but that it was whoever had the link. */
function openedEntry(facts: LinkFacts, visit: Visit, clock: Clock): AuditEntry {
  const name = `link of ${facts.principal.name}`
  return newAuditEntry(clock, {
    actor: { id: 'anonymous', type: 'anonymous', name, auth_method: 'secret_link' },
    surface: 'management_mcp',
    operation: 'secret_links.open',
    action: 'READ',
    resource: toResource(facts.subject),
    http: { method: 'POST', url: '/management/secrets', status: 200 },
    ip: visit.ip,
    user_agent: visit.userAgent,
    request_id: visit.requestId,
    detail: detailOf(facts),
  })
}

function detailOf({ member }: LinkFacts): string {
  return `A one-time link to its ${member}.`
}
