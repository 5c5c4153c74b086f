/**
 * One-time links to secrets. A link replaces a secret that an answer shows once, if a model would read the answer. The secret
 * is kept for 15 minutes, sealed with a key that is made of the token in the link, and found by a hash of the token.
 */
import { hkdfSync, randomBytes } from 'node:crypto'
import type { Principal } from '../../access/principal.ts'
import type { Clock } from '../../base/clock.ts'
import { decrypt, encrypt } from '../../base/crypto/sealing.ts'
import { hashToken, Secret } from '../../base/crypto/token.ts'
import type { AuditEntry } from '../../model/access/audit.ts'
import { newAuditEntry } from '../../model/access/new-audit-entry.ts'
import type { Links } from '../../shared-state/ports/links.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Subject, Via } from './call.ts'
import { toCaller, toResource } from './trail.ts'

/** How long a link opens. */
export const LINK_MS = 15 * 60_000
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
 * 1. Where links are kept is neither the secret nor what opens it: a secret is sealed by a key made of its token, which only the
 *    link has, and is found by a hash of that.
 * 2. A link opens once, within its time. Where links end with a restart, the secret is rotated then.
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
  look(token: string): Promise<LinkFacts | null>
  /** The secret, once; null for what opens nothing. Rejects, with nothing spent, when the trail cannot be written. */
  open(token: string, visit: Visit): Promise<Secret | null>
}

/** What a link leads to. */
export interface KeptSecret {
  readonly facts: LinkFacts
  /** The sealed secret in base64. */
  readonly sealed: string
}

/** Secrets behind `links`. @param store holds the audit entries of links and nothing else of them. */
export function createSecretLinks(
  links: Links<KeptSecret>,
  store: Pick<ConfigStore, 'write'>,
  clock: Clock,
): SecretLinks {
  return {
    async keep(secret, about, principal, via) {
      const token = randomBytes(32).toString('base64url')
      const { id, type, name, authMethod } = principal
      const facts = { ...about, principal: { id, type, name, authMethod }, expiresAt: clock.now() + LINK_MS }
      const sealed = encrypt(keyOf(token), secret.reveal(), '').toString('base64')
      // Kept before the trail is written, so that many at once stay within the bounds
      if (!(await links.put(hashToken(token), { facts, sealed }, LINK_MS, id))) return null
      try {
        await store.write((writer) => writer.appendAudit(madeEntry(facts, via, clock)))
      } catch (error) {
        await links.take(hashToken(token))
        throw error
      }
      return token
    },
    look: async (token) => (await links.look(hashToken(token)))?.facts ?? null,
    async open(token, visit) {
      // Taken before the trail is written, so that two readers at once do not both read
      const found = await links.take(hashToken(token))
      if (found === null) return null
      const { facts, sealed } = found
      try {
        await store.write((writer) => writer.appendAudit(openedEntry(facts, visit, clock)))
      } catch (error) {
        await links.put(hashToken(token), found, facts.expiresAt - clock.now(), facts.principal.id)
        throw error
      }
      return new Secret(decrypt(keyOf(token), Buffer.from(sealed, 'base64'), ''))
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
