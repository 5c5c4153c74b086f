/** Reads and checks documents in an `apart` thread, because there may be very many of them, also in YAML. */

import type { z } from 'zod'
import { canonicalJson, contentHash } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/storable.ts'
import type { FieldError } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { tooMuchToRead } from '../../import/text/plain-data.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Job } from '../engine/apart.ts'
import type { OperationContext } from '../engine/context.ts'
import { diffOf } from '../engine/diff.ts'
import { KEEP } from '../engine/resource-secrets.ts'
import { kindOf } from '../kinds.ts'
import { fromImport } from '../proxies/contract.ts'
import { proxyKind } from '../proxies/kind.ts'
import { readDocuments, type Variables } from './read-documents.ts'
import { createDiffBound, type Shown } from './schemas.ts'
import { type Desired, secretMembersOf, toDesired, withoutSecrets } from './state.ts'
import type { Manner } from './steps.ts'

export interface Given {
  readonly documents: readonly (string | Fields)[]
  readonly variables: Variables
  readonly managed_by: string
  readonly prune: boolean
  readonly take_over: boolean
}

interface Taken {
  readonly desired: readonly Desired[]
  readonly manner: Manner
  /** Keyed, since documents may hold secrets: tells whether the same is asked for again. */
  readonly fingerprint: string
  /** What descriptions among them say and is read differently. */
  readonly warnings: readonly FieldError[]
}

/** As it crosses between threads: kinds are known by their names. */
type SentDesired = Omit<Desired, 'kind'> & { readonly type: ResourceType }

interface Sent {
  readonly desired: readonly SentDesired[]
  readonly hash: string
  readonly warnings: readonly FieldError[]
}

export const takeDocuments: Job<Given, Sent> = {
  name: 'config.documents',
  tooMuch: tooMuchToRead,
  run: ({ documents: given, variables, managed_by: owner, prune, take_over: takeOver }) => {
    const { documents, warnings } = readDocuments(given, variables)
    const plain = documents.map(({ kind, slug, spec }) => ({ kind: kind.noun, slug, spec }))
    return {
      desired: toDesired(documents).map(({ kind, ...one }) => ({ ...one, type: kind.type })),
      hash: contentHash({ documents: plain, owner, prune, takeOver }),
      warnings,
    }
  },
}

/** Documents as they were given, read and judged. */
export async function take(
  given: Given,
  { apart, vault }: Pick<OperationContext, 'apart' | 'vault'>,
): Promise<Taken> {
  const { documents, variables, managed_by, prune, take_over } = given
  const sent = await apart(takeDocuments, { documents, variables, managed_by, prune, take_over })
  const desired: Desired[] = []
  for (const one of sent.desired) {
    desired.push(received(one))
    await yieldThread(desired.length)
  }
  return {
    desired,
    manner: { owner: managed_by, prune, takeOver: take_over },
    fingerprint: vault.fingerprint(sent.hash),
    warnings: sent.warnings,
  }
}

function received({ type, ...one }: SentDesired): Desired {
  const kind = kindOf(type)
  const spec = withKeep(one)
  // The schema of the kind has made it that
  if (one.isDescribed && kind === proxyKind) fromImport(spec as ProxySpec)
  return { ...one, kind, spec }
}

/** Each thread has a mark of its own for a secret that stays. */
function withKeep({ spec, kept }: Pick<Desired, 'spec' | 'kept'>): Fields {
  if (kept.length === 0) return spec
  const auth: Record<string, unknown> = { ...(spec['auth'] as Fields) }
  for (const field of kept) {
    const value = auth[field]
    auth[field] = isPlain(value) ? { ...value, value: KEEP } : KEEP
  }
  return { ...spec, auth }
}

interface Asked extends Pick<Given, 'documents' | 'variables'> {
  readonly against: Given['documents']
}

/** Compares documents with other documents. Refuses as {@link readDocuments} does. */
export const compareDocuments: Job<Asked, z.output<typeof Shown>> = {
  name: 'config.diff',
  tooMuch: tooMuchToRead,
  run: ({ documents, against, variables }) => {
    const { warnings, documents: read } = readDocuments(documents, variables)
    const others = readDocuments(against, variables)
    return { ...compared(toDesired(read), toDesired(others.documents)), warnings: [...warnings] }
  },
}

/** What is in the documents, from what is in the others. */
function compared(documents: readonly Desired[], others: readonly Desired[]) {
  const bound = createDiffBound()
  const then = new Map(others.map((one) => [one.address, one]))
  const now = new Map(documents.map((one) => [one.address, one]))
  const items = [...new Set([...then.keys(), ...now.keys()])].flatMap((item) => {
    const [was, is] = [then.get(item), now.get(item)]
    const diff = [...diffOf(plain(was), plain(is)), ...secretsOf(was, is)]
    if (diff.length === 0) return []
    const action: 'create' | 'remove' | 'update' =
      was === undefined ? 'create' : is === undefined ? 'remove' : 'update'
    return [{ action, item, managed_by: null, revision: null, side: null, diff: bound(diff) }]
  })
  const count = (action: string): number => items.filter((one) => one.action === action).length
  const [create, update, remove] = [count('create'), count('update'), count('remove')]
  return {
    create,
    update,
    adopt: 0,
    remove,
    unchanged: then.size + create - items.length,
    items,
    drift: [],
  }
}

function plain(one: Desired | undefined): Fields | undefined {
  return one && withoutSecrets(one.kind, one.spec)
}

/** Secrets that stand in both and differ. */
function secretsOf(was: Desired | undefined, is: Desired | undefined) {
  if (was === undefined || is === undefined) return []
  const of = ({ spec }: Desired, field: string): unknown => (spec['auth'] as Fields)[field]
  return secretMembersOf(is.kind, is.spec)
    .filter((field) => isText(of(was, field)) && isText(of(is, field)))
    .filter((field) => canonicalJson(of(was, field)) !== canonicalJson(of(is, field)))
    .map((field) => ({ op: 'replace' as const, path: `/auth/${field}`, value: 'changed' }))
}

function isText(source: unknown): boolean {
  return typeof source === 'object' && source !== null && 'value' in source
}
