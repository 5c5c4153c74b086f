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
import type { Kind } from './kind.ts'
import { mergePatch } from './patch.ts'
import { findRef, idsOf, resolveRefs } from './refs.ts'
import { readable, referred } from './views.ts'

/** Stands for a secret that a merge leaves as it is, in a form that every secret may have. Random, so that nobody can send it. */
const KEEP = `-----BEGIN KEEP----- ${randomUUID()} -----END KEEP-----`

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
  const parent = kind.parent === null ? null : String(spec.fields[kind.parent.field])
  const slug =
    typeof input['slug'] === 'string'
      ? input['slug']
      : slugOf(String(input['name'])) || `${kind.noun}-${id.slice(-8)}`
  await refuseTakenSlug(context, kind, slug, parent, id)
  const resource = await change.insert(kind, { id, slug, parent, spec: spec.fields }, subject)
  for (const [field, text] of spec.secrets) await change.setSecret(resource, field, text)
  return resource
}

/** Puts a full parsed spec in the place of that of a resource. */
export async function replaceResource(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
  input: Fields,
): Promise<Resource> {
  const staged = context.options.mode === 'draft' && resource.status === 'published'
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
    await context.change.setSecret(stored, field, text)
    stored = (await context.change.writer.byId(kind.type, resource.id))!
  }
  const isSame = spec.secrets.every(([, text]) => text === KEEP)
  if (!isSame || canonicalJson(spec.fields['auth']) !== canonicalJson(resource.spec['auth']))
    await forgetSecrets(context, kind, stored)
  return stored
}

/** Merges a parsed patch into a resource, or into its pending draft when it goes there. */
export async function patchResource(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
  patch: Fields,
): Promise<Resource> {
  const staged = context.options.mode === 'draft' && resource.status === 'published'
  const stored = staged && resource.draft !== null ? resource.draft : resource.spec
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

/** Judges a merged spec by the exact schema. */
function parseSpec(schema: z.ZodObject, merged: unknown): Fields {
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
  const { spec, secrets } = splitSecrets(kind, await resolveRefs(context.reader, kind, members))
  const parent = kind.parent === null ? null : String(spec[kind.parent.field])
  if (before !== null && parent !== before.parent)
    throw refuse('input_invalid', {
      detail: `The ${inWords(kind.parent!.field)} of a ${inWords(kind.noun)} cannot change.`,
      errors: [{ pointer: `/${kind.parent!.field}`, reason: 'cannot change' }],
    })
  if (spec['status'] !== undefined && (spec['status'] === 'published') !== (before?.status === 'published'))
    await context.demand(`${kind.type}:publish`, { type: kind.type, id, parent, spec })
  for (const credential of newCredentials(kind, spec, before))
    await context.demand('credentials:use', (await context.whole.byId('credentials', credential))!)
  for (const [field, text] of secrets) {
    const known = text === KEEP ? await keptSecret(context, spec, field, before) : text
    if (known !== undefined) refuseSecret(kind, field, known, spec)
  }
  await kind.check?.(spec, { id, parent }, context)
  return { fields: spec, secrets }
}

/** Ids of credentials that the spec refers to and did not refer to before. */
function newCredentials(kind: Kind, spec: Fields, before: Resource | null): string[] {
  const known = before === null ? [] : idsOf(kind, before.spec)
  return idsOf(kind, spec).filter((id) => id.startsWith('crd_') && !known.includes(id))
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
  return change.openSecret(before, field)
}

function refuseSecret(kind: Kind, field: string, text: string, spec: Fields): void {
  const reason = kind.secretFault?.(field, text, spec) ?? null
  if (reason === null) return
  const pointer = `/auth/${field}`
  throw refuse('input_invalid', { detail: `${pointer}: ${reason}.`, errors: [{ pointer, reason }] })
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
  const taken = await context.whole.bySlug(kind.type, slug, parent ?? undefined)
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
  const parent = await findRef(context.reader, kind.parent.type, String(input[kind.parent.field]))
  return parent && (await context.reader.bySlug(kind.type, ref, parent.id))[0]
}
