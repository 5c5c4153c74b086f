import { canonicalJson, packJson } from '../../base/json/canonical.ts'
import { Refusal, refuse } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind } from '../engine/kind.ts'
import { idsOf, parentFields, parentRef, seeking } from '../engine/refs.ts'
import { refuseUsed } from '../engine/standard-delete.ts'
import { createResource, parseSpec, replaceResource } from '../engine/write-resource.ts'
import { ALL_KINDS, kindOf } from '../kinds.ts'
import { addressOf } from './address.ts'
import type { Desired } from './desired.ts'
import { mapEndpoints } from './endpoint-refs.ts'
import { needsOf, type Step } from './order.ts'
import type { Steps } from './steps.ts'

/** Does the steps inside of the transaction, each as if it were written singly, and remembers what was applied. */
export async function carryOut(
  { steps, words, applied, state }: Steps,
  owner: string,
  context: OperationContext,
): Promise<void> {
  context.change.owner = owner
  const made = new Map<string, Resource>()
  const idOf = (address: string): string => (made.get(address) ?? state.byAddress.get(address))?.id ?? address
  const byId = new Map<string, Step>()
  for (const step of steps) if (step.before !== null) byId.set(step.before.id, step)
  const isThere = (address: string): boolean => made.has(address) || state.byAddress.has(address)
  const later: Step[] = []
  let done = 0
  for (const step of steps) {
    try {
      const first = withoutLate(step, isThere)
      if (first !== step) later.push(step)
      const resource =
        step.desired === null
          ? await remove(step, byId, context)
          : await write(first, step.desired, idOf, context)
      if (resource !== null) made.set(step.item, resource)
    } catch (error) {
      throw atPlace(error, step)
    }
    await yieldThread(++done)
  }
  for (const step of later) {
    const before = await context.whole.byId(step.desired!.kind.type, idOf(step.item))
    await write({ ...step, action: 'update', before: before! }, step.desired!, idOf, context)
    await yieldThread(++done)
  }
  const { writer } = context.change
  for (const { item, action } of steps) {
    if (action === 'remove') await writer.removeApplied(owner, item)
    await yieldThread(++done)
  }
  for (const [address, spec] of words) {
    const last = applied.get(address)
    const resource = idOf(address)
    await yieldThread(++done)
    if (last?.resource === resource && canonicalJson(last.spec) === canonicalJson(spec)) continue
    await writer.putApplied({ owner, address, resource, spec })
  }
}

/** The step without the late references to what is not there yet; the step itself where there are none. */
function withoutLate(step: Step, isThere: (address: string) => boolean): Step {
  if (step.desired === null) return step
  const left: Record<string, unknown> = {}
  for (const { field, type, isLate } of step.desired.kind.refs) {
    const refs = step.spec[field]
    if (isLate !== true || !Array.isArray(refs)) continue
    const there = refs.filter((ref) => isThere(addressOf(type, String(ref))))
    if (there.length < refs.length) left[field] = there
  }
  return Object.keys(left).length === 0 ? step : { ...step, spec: { ...step.spec, ...left } }
}

/** Removes what nothing will refer to when all steps are done. */
async function remove(
  { before, item }: Step,
  byId: ReadonlyMap<string, Step>,
  context: OperationContext,
): Promise<null> {
  const { change, whole } = context
  const resource = before!
  await refuseOccupied(resource, context)
  const isGone = (id: string): boolean => byId.get(id)?.action === 'remove'
  for (const user of await whole.usersOf(resource.id)) {
    const step = byId.get(user.id)
    const isKept = user.draft !== null && idsOf(kindOf(user.type), user.draft).includes(resource.id)
    const letsGo = isGone(user.id) || (step !== undefined && !isKept && !needsOf(step).includes(item))
    if (!letsGo) await refuseUsed(resource, context)
    const to = [user.spec, user.draft ?? user.spec].flatMap((spec) => idsOf(kindOf(user.type), spec))
    await change.writer.link(
      user.id,
      to.filter((id) => !isGone(id)),
    )
  }
  await change.remove(resource)
  return null
}

async function write(
  { action, before, spec }: Step,
  desired: Desired,
  idOf: (address: string) => string,
  context: OperationContext,
): Promise<Resource> {
  const { kind, slug, schemas } = desired
  if (schemas !== null)
    await context.change.writer.putSchema(String(spec['schemas']), packJson(canonicalJson(schemas)))
  const input: Fields = mapEndpoints(kind, spec, (entry) =>
    entry.startsWith('proxy/') ? idOf(entry) : entry,
  )
  if (action === 'create') {
    const parent = parentRef(kind, input)
    return seeking({ type: kind.type, ref: parent === null ? slug : `${parent}:${slug}` }, () =>
      createResource(context, kind, { ...withFixed(kind, input, {}), slug }, false),
    )
  }
  return replaceResource(context, kind, before!, withFixed(kind, input, before!.spec))
}

/** With the members that no writer sets, as they are stored or by default. */
function withFixed(kind: Kind, input: Fields, stored: Fields): Fields {
  const { fixed } = kind
  if (fixed === undefined) return input
  const known = fixed.flatMap((name) => (name in stored ? [[name, stored[name]] as const] : []))
  return parseSpec(kind.spec, { ...input, ...Object.fromEntries(known) })
}

/** What lies below it goes only where the documents' set owns that, too. */
async function refuseOccupied(resource: Resource, context: OperationContext): Promise<void> {
  for (const kind of ALL_KINDS) {
    if (!parentFields(kind).some(({ type }) => type === resource.type)) continue
    const { type } = kind
    const below = await context.whole.all(type, resource.id)
    if (below.length === 0) continue
    const seen = (await context.reader.all(type, resource.id)).slice(0, 20)
    const names = seen.map((one) => `${type}/${one.slug}`)
    throw refuse('in_use', {
      detail: `"${resource.slug}" holds ${[...names, ...(below.length > seen.length ? ['others'] : [])].join(', ')}, which the set does not own.`,
      members: { used_by: names },
    })
  }
}

/** The same refusal, with the resource that it is about. */
function atPlace(error: unknown, { item, desired }: Step): unknown {
  if (!(error instanceof Refusal)) return error
  const { errors, ...facts } = error.facts
  return refuse(error.code, {
    ...facts,
    detail: `${item}: ${error.message}`,
    ...(errors === undefined || desired === null
      ? {}
      : {
          errors: errors.map(({ pointer, reason }) => ({
            pointer: desired.specPlace + pointer,
            reason,
          })),
        }),
  })
}
