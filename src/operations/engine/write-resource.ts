import type { z } from 'zod'
import { canonicalJson } from '../../base/json/canonical.ts'
import { toInputInvalid } from '../../base/json/fault.ts'
import { isPlain } from '../../base/json/storable.ts'
import { destinationOf } from '../../base/net/egress.ts'
import { type FieldError, refuse } from '../../base/refusal.ts'
import { slugOf } from '../../model/members.ts'
import { inWords, type ResourceType, withArticle } from '../../model/resource-types.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from './context.ts'
import type { Kind } from './kind.ts'
import { toMake } from './permission.ts'
import { findRef, getRef, parentField, parentFields, parentRef, referredBy, resolveRefs } from './refs.ts'
import {
  demandElsewhere,
  demandUse,
  forgetHeaders,
  forgetSecrets,
  isReadElsewhere,
  KEEP,
  keptSecret,
  refuseSecret,
  refuseSentElsewhere,
  splitHeaders,
  splitSecrets,
  withKept,
  withoutStale,
} from './resource-secrets.ts'
import { readable, slugsOf, viewOf } from './views.ts'

/** Makes a resource of a parsed spec. `subject` when the operation is about it; `slug` overrides the spec's. */
export async function createResource<T extends ResourceType>(
  context: OperationContext,
  kind: Kind<T>,
  input: Fields,
  subject: boolean = true,
): Promise<Resource<T>> {
  const { change } = context
  const id = change.newId(kind)
  const spec = await settle(context, kind, input, id, null)
  const parent = parentRef(kind, spec.fields)
  const slug =
    typeof input['slug'] === 'string'
      ? input['slug']
      : slugOf(String(input['name'])) || `${kind.noun}-${id.slice(-8)}`
  await refuseTakenSlug(context, kind, slug, parent, id)
  const inserted = await change.insert(kind, { id, slug, parent, spec: spec.fields }, subject)
  // Its spec was parsed by the schema of the kind
  const resource = inserted as Resource<T>
  for (const [field, text] of spec.secrets) await change.secrets.set(resource, field, text)
  await kind.stored?.(resource, null, context)
  return resource
}

/** Puts a full parsed spec in the place of that of a resource. */
export async function replaceResource<One extends Resource>(
  context: OperationContext,
  kind: Kind,
  resource: One,
  input: Fields,
): Promise<One> {
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
    // The same resource
    stored = (await context.change.writer.byId(resource.type, resource.id))! as One
  }
  const isSame = spec.secrets.every(([, text]) => text === KEEP)
  if (kind.secrets !== undefined && (!isSame || isReadElsewhere(kind, resource.spec, spec.fields)))
    await context.change.judge(`${kind.type}:rotate`, resource, stored)
  if (!isSame || canonicalJson(spec.fields['auth']) !== canonicalJson(resource.spec['auth']))
    await forgetSecrets(context, kind, stored)
  await forgetHeaders(context, resource, stored)
  await kind.stored?.(stored, resource, context)
  return stored
}

/** Merges a parsed patch into a resource, or into its pending draft when it goes there. */
export async function patchResource<One extends Resource>(
  context: OperationContext,
  kind: Kind,
  resource: One,
  patch: Fields,
): Promise<One> {
  return replaceResource(context, kind, resource, await patchedSpec(context, kind, resource, patch))
}

/** The parsed spec that a patch makes of a resource, or of its pending draft when the change goes there. */
export async function patchedSpec(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
  patch: Fields,
): Promise<Fields> {
  const stored = isStaged(context, resource) && resource.draft !== null ? resource.draft : resource.spec
  const base = withKept(
    kind,
    await readable(kind, stored, await slugsOf(context.reader, kind, [resource])),
    patch,
  )
  return parseSpec(kind.spec, withoutStale(kind, mergePatch(base, patch)))
}

const DEPTH_MAX = 64

/**
 * Merges a patch into a value: objects member by member, everything else replaces. An object whose `type` changes
 * is replaced whole, because the members of one type mean nothing to another.
 */
export function mergePatch(base: unknown, patch: unknown, depth: number = 0): unknown {
  if (depth > DEPTH_MAX) throw refuse('input_invalid', { detail: 'The input is nested too deeply.' })
  if (!isPlain(base) || !isPlain(patch)) return patch
  if (patch['type'] !== undefined && patch['type'] !== base['type']) return patch
  const merged: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(patch))
    if (value !== undefined) merged[name] = mergePatch(base[name], value, depth + 1)
  return merged
}

/** What a write answers: the resource as callers read it, and warnings where there are some. */
export async function writtenView(
  context: OperationContext,
  kind: Kind,
  resource: Resource,
): Promise<Record<string, unknown>> {
  const view = await viewOf(context.reader, kind, resource)
  const warnings = (await kind.warn?.(resource, context)) ?? []
  return warnings.length === 0 ? view : { ...view, warnings }
}

/** A write to a resource goes to its pending draft. */
function isStaged({ options }: OperationContext, { status }: Resource): boolean {
  return options.mode === 'draft' && status === 'published'
}

/** Judges a spec that was put together by the exact schema. */
export function parseSpec(schema: z.ZodObject, merged: unknown): Fields {
  const parsed = schema.safeParse(merged)
  if (!parsed.success) throw toInputInvalid(parsed.error, schema)
  return parsed.data
}

/**
 * Makes of a parsed spec what is stored: references resolved, secrets apart, rules and permissions checked. A kind without secrets in
 * headers can be settled before the transaction too, to learn what would be stored.
 */
export async function settle(
  context: OperationContext,
  kind: Kind,
  input: Fields,
  id: string,
  before: Resource | null,
): Promise<{ fields: Fields; secrets: readonly (readonly [string, string])[] }> {
  if (context.options.mode === 'draft' && !kind.staged)
    throw refuse('input_invalid', {
      detail: `There are no drafts of ${inWords(kind.type)}. Leave mode out.`,
      errors: [{ pointer: '/mode', reason: `${withArticle(kind.noun)} has no drafts` }],
    })
  const { slug: _slug, ...members } = input
  const known =
    before === null
      ? []
      : [before.spec, ...(isStaged(context, before) && before.draft !== null ? [before.draft] : [])]
  const referred = before === null ? [] : await referredBy(context.whole, kind, before, known)
  const split = splitSecrets(kind, await resolveRefs(context.reader, kind, members, referred))
  const { spec, texts } = await splitHeaders(context, split.spec, before)
  const parent = parentRef(kind, spec)
  if (before !== null && parent !== before.parent) {
    const { field } = (parentField(kind, spec) ?? parentField(kind, before.spec))!
    throw refuse('input_invalid', {
      detail: `The ${inWords(field)} of ${withArticle(kind.noun)} cannot change.`,
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
    if (text === KEEP) refuseSentElsewhere(kind, field, spec, before)
    const known = text === KEEP ? await keptSecret(context, spec, field, before) : text
    if (known !== undefined) refuseSecret(kind, field, known, spec)
  }
  await kind.check?.(spec, { id, parent }, context)
  refuseEgress(context, kind, spec)
  return { fields: spec, secrets: [...split.secrets, ...texts] }
}

/** Refuses URLs that no connection would be made to. Names are judged again by what they resolve to, with each connection. */
export function refuseEgress(
  { egress }: Pick<OperationContext, 'egress'>,
  kind: Pick<Kind, 'asks'>,
  spec: Fields,
): void {
  const errors = (kind.asks?.(spec) ?? []).flatMap(({ pointer, url }): FieldError[] => {
    const parsed = url == null ? null : URL.parse(url)
    const reason = parsed === null ? null : egress.faultOf(destinationOf(parsed, 'typed'))
    return reason === null ? [] : [{ pointer, reason }]
  })
  const first = errors[0]
  if (first !== undefined)
    throw refuse('configuration_invalid', { detail: `${first.reason}. Give another URL.`, errors })
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
      detail: `There is already ${withArticle(kind.noun)} with the slug "${slug}". Give another slug.`,
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
  if (parentFields(kind).length === 0 || ref.includes(':') || ref.includes('_'))
    return findRef(context.reader, kind.type, ref)
  // A bare slug means the one below the parent that the body names.
  const field = parentField(kind, input)
  if (field === undefined) return (await context.reader.bySlug(kind.type, ref, ''))[0]
  const parent = await findRef(context.reader, field.type, String(input[field.field]))
  return parent && (await context.reader.bySlug(kind.type, ref, parent.id))[0]
}

/**
 * What is to be copied. Refuses with not_found, with permission_denied where the principal may name it and not read
 * it, or with revision_conflict.
 */
export async function sourceOf(kind: Kind, ref: string, context: OperationContext): Promise<Resource> {
  const original = await getRef(context.reader, kind.type, ref)
  await context.demand(`${kind.type}:read`, original)
  const expected = context.options.expectedRevision
  if (expected !== undefined && expected !== original.revision)
    throw refuse('revision_conflict', {
      detail: `${inWords(kind.noun)} "${original.slug}" is at revision ${original.revision}, not ${expected}.`,
      members: { revision: original.revision },
    })
  return original
}

const SUFFIX = ' (copy)'
const NAME_MAX = 120

/** The live version of a resource as the draft of another one; members that are undefined stay. */
export function draftOf(kind: Kind, original: Resource, members: Fields): Fields {
  const given = Object.entries(members).filter(([, value]) => value !== undefined)
  return parseSpec(kind.spec, {
    ...original.spec,
    name: original.name.slice(0, NAME_MAX - SUFFIX.length) + SUFFIX,
    ...Object.fromEntries(given),
    status: 'draft',
  })
}
