import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import { canonicalJson } from '../base/canonical.ts'
import { isPlain } from '../base/plain.ts'
import { refuse } from '../base/refusal.ts'
import { inWords, slugOf } from '../model/common.ts'
import type { SecretSource } from '../model/secret.ts'
import { isReference } from '../model/secret-reference.ts'
import type { Fields, Resource } from '../store/ports/config.ts'
import type { OperationContext } from './context.ts'
import { toInputInvalid } from './errors.ts'
import {
  forgetHeaders,
  headerReferencesOf,
  type SecretHeader,
  secretHeadersOf,
  splitHeaders,
} from './header-secrets.ts'
import type { Kind } from './kind.ts'
import { mergePatch } from './patch.ts'
import { findRef, heldBy, idsOf, parentField, parentRef, resolveRefs } from './refs.ts'
import { toMake } from './sight.ts'
import { readable, referred } from './views.ts'

/** Stands for a secret that a merge leaves as it is, in a form that every secret may have. Random, so that nobody can send it. */
export const KEEP = `-----BEGIN KEEP----- ${randomUUID()} -----END KEEP-----`

/** Makes a resource of a parsed spec. `subject` when the operation is about it; `slug` overrides the spec's. */
export async function createResource(
  context: OperationContext,
  kind: Kind,
  input: Fields,
  subject: boolean = true,
): Promise<Resource> {
  const { change } = context
  const id = change.newId(kind)
  const spec = await settle(context, kind, input, id, null)
  const parent = parentRef(kind, spec.fields)
  const slug =
    typeof input['slug'] === 'string'
      ? input['slug']
      : slugOf(String(input['name'])) || `${kind.noun}-${id.slice(-8)}`
  await refuseTakenSlug(context, kind, slug, parent, id)
  const resource = await change.insert(kind, { id, slug, parent, spec: spec.fields }, subject)
  for (const [field, text] of spec.secrets) await change.secrets.set(resource, field, text)
  return resource
}

/** Puts a full parsed spec in the place of that of a resource. */
export async function replaceResource(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
  input: Fields,
): Promise<Resource> {
  const staged = isStaged(context, resource)
  const spec = await settle(context, kind, input, resource.id, resource)
  const slug = typeof input['slug'] === 'string' ? input['slug'] : resource.slug
  if (slug !== resource.slug) await refuseTakenSlug(context, kind, slug, resource.parent, resource.id)
  if (staged && slug !== resource.slug)
    throw refuse('input_invalid', {
      detail: 'A draft cannot change the slug.',
      errors: [{ pointer: '/slug', reason: 'cannot change in a draft' }],
    })
  let stored = staged
    ? await context.change.replace(resource, { draft: { ...spec.fields, status: 'published' } })
    : await context.change.replace(resource, { spec: spec.fields, slug })
  for (const [field, text] of spec.secrets) {
    if (text === KEEP) continue
    await context.change.secrets.set(stored, field, text)
    stored = (await context.change.writer.byId(kind.type, resource.id))!
  }
  const isSame = spec.secrets.every(([, text]) => text === KEEP)
  if (kind.secrets !== undefined && (!isSame || isReadElsewhere(kind, resource.spec, spec.fields)))
    await context.change.judge(`${kind.type}:rotate`, resource, stored)
  if (!isSame || canonicalJson(spec.fields['auth']) !== canonicalJson(resource.spec['auth']))
    await forgetSecrets(context, kind, stored)
  await forgetHeaders(context, resource, stored)
  return stored
}

/** Merges a parsed patch into a resource, or into its pending draft when it goes there. */
export async function patchResource(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
  patch: Fields,
): Promise<Resource> {
  const stored = isStaged(context, resource) && resource.draft !== null ? resource.draft : resource.spec
  const base = withKept(
    kind,
    await readable(kind, stored, await context.reader.slugs(referred(kind, [resource]))),
    patch,
  )
  return replaceResource(
    context,
    kind,
    resource,
    parseSpec(kind.spec, withoutStale(kind, mergePatch(base, patch))),
  )
}

/** A write to a resource goes to its pending draft. */
function isStaged({ options }: OperationContext, { status }: Resource): boolean {
  return options.mode === 'draft' && status === 'published'
}

/** Judges a spec that was put together by the exact schema. */
export function parseSpec(schema: z.ZodObject, merged: unknown): Fields {
  const parsed = schema.safeParse(merged)
  if (!parsed.success) throw toInputInvalid(parsed.error)
  return parsed.data
}

/** A spec that a patch is merged into: its secrets stay, but for those of the patch, which is no part of what was there. */
function withKept(kind: Kind, spec: Fields, patch: Fields): Fields {
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
function withoutStale(kind: Kind, merged: unknown): unknown {
  if (kind.secrets === undefined || !isPlain(merged) || !isPlain(merged['auth'])) return merged
  const used = kind.secrets(merged)
  const auth = Object.entries(merged['auth']).filter(
    ([field, value]) => used.includes(field) || (value !== KEEP && !isReference(value)),
  )
  return { ...merged, auth: Object.fromEntries(auth) }
}

/** Makes of a parsed spec what is stored: references resolved, secrets apart, rules and permissions checked. */
async function settle(
  context: OperationContext,
  kind: Kind,
  input: Fields,
  id: string,
  before: Resource | null,
): Promise<{ fields: Fields; secrets: readonly (readonly [string, string])[] }> {
  if (context.options.mode === 'draft' && !kind.staged)
    throw refuse('input_invalid', {
      detail: `A ${inWords(kind.noun)} has no drafts; leave mode out.`,
      errors: [{ pointer: '/mode', reason: `a ${inWords(kind.noun)} has no drafts` }],
    })
  const { slug: _slug, ...members } = input
  const known =
    before === null
      ? []
      : [before.spec, ...(isStaged(context, before) && before.draft !== null ? [before.draft] : [])]
  const held = before === null ? [] : await heldBy(context.whole, kind, before, known)
  const split = splitSecrets(kind, await resolveRefs(context.reader, kind, members, held))
  const { spec, texts } = await splitHeaders(context, split.spec, before)
  const parent = parentRef(kind, spec)
  if (before !== null && parent !== before.parent) {
    const { field } = (parentField(kind, spec) ?? parentField(kind, before.spec))!
    throw refuse('input_invalid', {
      detail: `The ${inWords(field)} of a ${inWords(kind.noun)} cannot change.`,
      errors: [{ pointer: `/${field}`, reason: 'cannot change' }],
    })
  }
  // Before the rules, which tell of other resources
  const placed = { type: kind.type, id, parent, spec }
  const judged = before === null ? toMake(placed) : placed
  if (before === null) await context.demand(`${kind.type}:create`, judged)
  if (spec['status'] !== undefined && (spec['status'] === 'published') !== (before?.status === 'published'))
    await context.demand(`${kind.type}:publish`, judged)
  await demandUse(context, kind, spec, id, known, new Set(texts.map(([field]) => field)))
  await demandElsewhere(context, kind, spec, id, known)
  for (const [field, text] of split.secrets) {
    const known = text === KEEP ? await keptSecret(context, spec, field, before) : text
    if (known !== undefined) refuseSecret(kind, field, known, spec)
  }
  await kind.check?.(spec, { id, parent }, context)
  return { fields: spec, secrets: [...split.secrets, ...texts] }
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
  for (const one of sent) {
    const credential = await context.whole.byId('credentials', one)
    if (credential !== undefined) await context.demand('credentials:use', credential)
  }
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
async function keptSecret(
  { change }: OperationContext,
  spec: Fields,
  field: string,
  before: Resource | null,
): Promise<string | undefined> {
  if (before === null || canonicalJson(spec['auth']) === canonicalJson(before.spec['auth'])) return undefined
  return change.secrets.open(before, field)
}

function refuseSecret(kind: Kind, field: string, text: string, spec: Fields): void {
  const reason = kind.secretFault?.(field, text, spec) ?? null
  if (reason === null) return
  const pointer = `/auth/${field}`
  throw refuse('input_invalid', { detail: `${pointer}: ${reason}.`, errors: [{ pointer, reason }] })
}

/** True when a secret is read from another place than before, and so is another one. */
function isReadElsewhere(kind: Kind, before: Fields, after: Fields): boolean {
  if (kind.secrets === undefined) return false
  const [was, is] = [before['auth'] as Fields, after['auth'] as Fields]
  return kind
    .secrets(after)
    .some((field) => isReference(is[field]) && canonicalJson(is[field]) !== canonicalJson(was[field] ?? null))
}

/** Secrets of what a credential was before. */
async function forgetSecrets(context: OperationContext, kind: Kind, resource: Resource): Promise<void> {
  if (kind.secrets === undefined) return
  const auth = resource.spec['auth'] as Fields
  const fields = kind.secrets(resource.spec).filter((field) => !isReference(auth[field]))
  for (const { field } of await context.change.writer.secretsOf([resource.id]))
    if (!fields.includes(field)) await context.change.writer.removeSecret(resource.id, field)
}

async function refuseTakenSlug(
  context: OperationContext,
  kind: Kind,
  slug: string,
  parent: string | null,
  id: string,
): Promise<void> {
  const taken = await context.whole.bySlug(kind.type, slug, parent ?? '')
  if (taken.some((one) => one.id !== id))
    throw refuse('already_exists', {
      detail: `There is already a ${inWords(kind.noun)} with the slug "${slug}". Give another slug.`,
      errors: [{ pointer: '/slug', reason: 'already taken' }],
    })
}

/** The resource that a put names, or undefined when it is to be made. */
export async function findForPut(
  context: OperationContext,
  kind: Kind,
  ref: string,
  input: Fields,
): Promise<Resource | undefined> {
  if (kind.parent === null || ref.includes(':') || ref.includes('_'))
    return findRef(context.reader, kind.type, ref)
  // A bare slug means the one below the parent that the body names.
  const field = parentField(kind, input)
  if (field === undefined) return (await context.reader.bySlug(kind.type, ref, ''))[0]
  const parent = await findRef(context.reader, field.type, String(input[field.field]))
  return parent && (await context.reader.bySlug(kind.type, ref, parent.id))[0]
}
