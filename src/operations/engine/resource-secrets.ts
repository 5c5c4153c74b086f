import { hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import type { Principal } from '../../access/principal.ts'
import type { Clock } from '../../base/clock.ts'
import { decrypt, encrypt } from '../../base/crypto/sealing.ts'
import { hashToken, Secret } from '../../base/crypto/token.ts'
import { canonicalJson } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/storable.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { type AuditEntry, newAuditEntry } from '../../model/access/audit.ts'
import { isReference } from '../../model/api/credential-facts.ts'
import {
  headerReferencesOf,
  type SecretHeader,
  sealedFieldsOf,
  sealedHeadersOf,
  secretHeadersOf,
  withHeaderSecrets,
  withKeptReferences,
  withoutHeaderTexts,
} from '../../model/api/injected-header.ts'
import type { SecretSource } from '../../model/api/secret.ts'
import type { Links } from '../../shared-state/ports/memory.ts'
import type { ConfigStore } from '../../store/ports/config.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { Subject, Via } from './call.ts'
import type { OperationContext } from './context.ts'
import type { Kind } from './kind.ts'
import { idsOf } from './refs.ts'
import { toCaller, toResource } from './trail.ts'

/** Stands for a secret that a merge leaves as it is, in a form that every secret may have. Random, so that nobody can send it. */
export const KEEP = `-----BEGIN KEEP----- ${randomUUID()} -----END KEEP-----`

/** A spec that a patch is merged into: its secrets stay, but for those of the patch, which is no part of what was there. */
export function withKept(kind: Kind, spec: Fields, patch: Fields): Fields {
  if (kind.secrets === undefined) return spec
  const auth = { ...(spec['auth'] as Fields) }
  const named = isPlain(patch['auth']) ? patch['auth'] : {}
  for (const field of kind.secrets(spec)) {
    if (field in named) delete auth[field]
    else if (!isReference(auth[field])) auth[field] = KEEP
  }
  return { ...spec, auth }
}

/** Refuses to send a stored secret to another place than before: whoever changes the place must know the secret. */
export function refuseSentElsewhere(
  { secretsFor }: Kind,
  field: string,
  spec: Fields,
  before: Resource | null,
): void {
  if (secretsFor === undefined || before === null) return
  if (canonicalJson(spec[secretsFor]) === canonicalJson(before.spec[secretsFor])) return
  const reason = `required, because ${secretsFor} changes`
  throw refuse('input_invalid', {
    detail: `/auth/${field}: ${reason}.`,
    errors: [{ pointer: `/auth/${field}`, reason }],
  })
}

/** Secrets that are kept, but of no use to the merged settings: another method needs another one. */
export function withoutStale(kind: Kind, merged: unknown): unknown {
  if (kind.secrets === undefined || !isPlain(merged) || !isPlain(merged['auth'])) return merged
  const used = kind.secrets(merged)
  const auth = Object.entries(merged['auth']).filter(
    ([field, value]) => used.includes(field) || (value !== KEEP && !isReference(value)),
  )
  return { ...merged, auth: Object.fromEntries(auth) }
}

/**
 * A credential goes only where somebody with the right to use it sends it. Refuses with permission_denied without
 * that for those that the spec refers to and no known one did and, where they are sent elsewhere, for all of them.
 * The same holds for secrets of headers.
 * @param given fields of headers whose secret comes with the spec, which are no secrets to who writes it.
 */
export async function demandUse(
  context: OperationContext,
  kind: Kind,
  spec: Fields,
  id: string,
  known: readonly Fields[],
  given: ReadonlySet<string> = new Set(),
): Promise<void> {
  const to = (one: Fields): string => canonicalJson(kind.sentTo?.(one) ?? null)
  const alike = known.filter((one) => to(one) === to(spec))
  const isMoved = known.length > 0 && alike.length === 0
  const had = new Set(isMoved ? [] : known.flatMap((one) => idsOf(kind, one)))
  const sent = new Set(idsOf(kind, spec).filter((one) => !had.has(one)))
  if (isMoved) sent.add(id)
  const headers = secretHeadersOf(spec)
  let sendsHeaders = headers.length > 0
  if (isMoved && kind.type === 'collections')
    for (const { spec: below, draft } of await context.whole.all('proxies', id))
      for (const one of [below, draft ?? below]) {
        sent.add(String(one['credential']))
        sendsHeaders ||= secretHeadersOf(one).length > 0
      }
  if (kind.type === 'proxies' && alike.length === 0 && to(spec) !== NOWHERE_ELSE)
    for (const one of await inherited(context, spec)) sent.add(one)
  // One version may keep what the other, which goes elsewhere, has given up
  const keyOf = ({ field, source }: SecretHeader): string => canonicalJson([field, source ?? null])
  const sentSo = new Set(alike.flatMap(secretHeadersOf).map(keyOf))
  const isTaken = known.length > 0 && headers.some((one) => !given.has(one.field) && !sentSo.has(keyOf(one)))
  if ((isMoved && sendsHeaders) || isTaken)
    await context.demand('credentials:use', { type: kind.type, id, parent: null, spec: known[0]! })
  for (const one of movedUses(kind, spec, known)) sent.add(one)
  for (const one of sent) {
    const credential = await context.whole.byId('credentials', one)
    if (credential !== undefined) await context.demand('credentials:use', credential)
    // Whoever has an origin called has its account used
    const origin = await context.whole.byId('origins', one)
    if (origin !== undefined && origin.id !== id) await context.demand('origins:read', origin)
  }
}

/** Ids of the credentials that a part of the spec sends where no known spec does. */
function movedUses({ uses }: Kind, spec: Fields, known: readonly Fields[]): readonly string[] {
  if (uses === undefined) return []
  const had = new Set(known.flatMap(uses).map(canonicalJson))
  return uses(spec).flatMap((one) => (had.has(canonicalJson(one)) ? [] : [one.credential]))
}

/** What `sentTo` of a proxy comes to that goes where its collection sends it. */
const NOWHERE_ELSE = canonicalJson(null)

/** Ids of the credentials that a proxy has of its collection. */
async function inherited(context: OperationContext, proxy: Fields): Promise<readonly string[]> {
  if (proxy['credential'] !== 'inherit') return []
  const collection = await context.whole.byId('collections', String(proxy['collection']))
  return [collection?.spec, collection?.draft].flatMap((one) =>
    typeof one?.['credential'] === 'string' ? [one['credential']] : [],
  )
}

/**
 * Where a secret is read elsewhere, no scope says whose it is. Refuses with permission_denied without the right to use
 * whatever there is for one that no known spec refers to.
 */
export async function demandElsewhere(
  context: OperationContext,
  kind: Kind,
  spec: Fields,
  id: string,
  known: readonly Fields[],
): Promise<void> {
  const read = (one: Fields): string[] => {
    const auth = kind.secrets !== undefined && isPlain(one['auth']) ? Object.values(one['auth']) : []
    return [...auth.filter(isReference), ...headerReferencesOf(one)].map(canonicalJson)
  }
  const reads = read(spec)
  const had = reads.length === 0 ? [] : known.flatMap(read)
  if (!reads.every((one) => had.includes(one)))
    await context.demand('credentials:use', { type: 'credentials', id, parent: null, spec: {} })
}

/** Takes the secrets that are texts out of a parsed spec. */
export function splitSecrets(
  kind: Kind,
  spec: Fields,
): { spec: Fields; secrets: readonly (readonly [string, string])[] } {
  if (kind.secrets === undefined) return { spec, secrets: [] }
  const auth = { ...(spec['auth'] as Record<string, unknown>) }
  const secrets: [string, string][] = []
  for (const field of kind.secrets(spec)) {
    // The exact schema of the kind has parsed it.
    const source = auth[field] as SecretSource
    // Where a secret is read is no secret.
    if (!('value' in source)) continue
    secrets.push([field, source.value])
    delete auth[field]
  }
  return { spec: { ...spec, auth }, secrets }
}

/** A secret that stays while what it must fit changes; undefined where nothing does. */
export async function keptSecret(
  { change }: OperationContext,
  spec: Fields,
  field: string,
  before: Resource | null,
): Promise<string | undefined> {
  if (before === null || canonicalJson(spec['auth']) === canonicalJson(before.spec['auth'])) return undefined
  return change.secrets.open(before, field)
}

export function refuseSecret(kind: Kind, field: string, text: string, spec: Fields): void {
  const reason = kind.secretFault?.(field, text, spec) ?? null
  if (reason === null) return
  const pointer = `/auth/${field}`
  throw refuse('input_invalid', { detail: `${pointer}: ${reason}.`, errors: [{ pointer, reason }] })
}

/** True when a secret is read from another place than before, and so is another one. */
export function isReadElsewhere(kind: Kind, before: Fields, after: Fields): boolean {
  if (kind.secrets === undefined) return false
  const [was, is] = [before['auth'] as Fields, after['auth'] as Fields]
  return kind
    .secrets(after)
    .some((field) => isReference(is[field]) && canonicalJson(is[field]) !== canonicalJson(was[field] ?? null))
}

/** Secrets of what a credential was before. */
export async function forgetSecrets(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
): Promise<void> {
  if (kind.secrets === undefined) return
  const auth = resource.spec['auth'] as Fields
  const fields = kind.secrets(resource.spec).filter((field) => !isReference(auth[field]))
  for (const { field } of await context.change.writer.secretsOf([resource.id]))
    if (!fields.includes(field)) await context.change.writer.removeSecret(resource.id, field)
}

/** Takes the texts of secrets out of a parsed spec, by field. Refuses secrets that are to stay where none is stored. */
export async function splitHeaders(
  context: OperationContext,
  spec: Fields,
  before: Resource | null,
): Promise<{ spec: Fields; texts: readonly (readonly [string, string])[] }> {
  if (secretHeadersOf(spec).length === 0) return { spec, texts: [] }
  // A read has no change
  const { change, options } = context
  const isStaged = options.mode === 'draft' && before?.status === 'published'
  const base = (isStaged ? before.draft : null) ?? before?.spec ?? {}
  const settled = withKeptReferences(spec, base)
  const texts = secretHeadersOf(settled).flatMap(({ field, source }) =>
    source !== undefined && 'value' in source ? [[field, source.value] as const] : [],
  )
  const given = new Map(texts)
  const errors: FieldError[] = []
  if (isStaged)
    for (const { field, pointer } of secretHeadersOf(settled))
      if (given.has(field))
        errors.push({
          pointer,
          reason: 'a draft cannot contain the text of a secret; give a reference, or use mode live',
        })
  const stored = before === null ? [] : await change.writer.secretsOf([before.id])
  for (const { field, pointer } of sealedHeadersOf(settled))
    if (!stored.some((one) => one.field === field)) errors.push({ pointer, reason: NOTHING_STAYS })
  if (errors.length > 0)
    throw refuse('input_invalid', { detail: `${errors[0]!.pointer}: ${errors[0]!.reason}.`, errors })
  return { spec: withoutHeaderTexts(settled), texts }
}

export const NOTHING_STAYS = 'no secret is stored yet; give a value or a secret'

/** Forgets secrets of headers that neither the live version nor the draft has any more. */
export async function forgetHeaders(
  { change }: OperationContext,
  before: Resource,
  after: Resource,
): Promise<void> {
  const kept = sealedFieldsOf(after)
  const gone = [...sealedFieldsOf(before)].filter((field) => !kept.has(field))
  for (const field of gone) await change.writer.removeSecret(after.id, field)
}

/** The spec of a copy, with the texts of the secrets of what is copied. Needs the right to use them. */
export async function withHeaderTexts(
  { change, demand }: OperationContext,
  spec: Fields,
  original: Resource,
): Promise<Fields> {
  const texts = new Map<string, string | undefined>()
  for (const { field } of sealedHeadersOf(spec)) {
    await demand('credentials:use', original)
    texts.set(field, await change.secrets.open(original, field))
  }
  return withHeaderSecrets(spec, ({ field, source }) => {
    const text = texts.get(field)
    return text === undefined ? source : { value: text }
  })
}

/** Sealed headers of a resource of which nothing is stored any more. */
export async function lostHeaders(
  { change }: OperationContext,
  resource: Resource,
): Promise<readonly string[]> {
  const sealed = sealedHeadersOf(resource.spec)
  if (sealed.length === 0) return []
  const stored = await change.writer.secretsOf([resource.id])
  return sealed.filter(({ field }) => !stored.some((one) => one.field === field)).map(({ name }) => name)
}

// One-time links to secrets. A link replaces a secret that an answer shows once, if a model would read the answer. The secret
// is kept for 15 minutes, sealed with a key that is made of the token in the link, and found by a hash of the token.

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
