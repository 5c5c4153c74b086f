import { randomUUID } from 'node:crypto'
import { canonicalJson } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/plain.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
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
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import type { Kind } from './kind.ts'
import { idsOf } from './refs.ts'

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
          reason: 'a draft cannot hold the text of a secret; give a reference, or use mode live',
        })
  const stored = before === null ? [] : await change.writer.secretsOf([before.id])
  for (const { field, pointer } of sealedHeadersOf(settled))
    if (!stored.some((one) => one.field === field)) errors.push({ pointer, reason: NOTHING_STAYS })
  if (errors.length > 0)
    throw refuse('input_invalid', { detail: `${errors[0]!.pointer}: ${errors[0]!.reason}.`, errors })
  return { spec: withoutHeaderTexts(settled), texts }
}

export const NOTHING_STAYS = 'no secret is stored that could stay; give a value or a secret'

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
