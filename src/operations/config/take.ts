/** Reads and checks documents in an `apart` thread, because there may be very many of them, also in YAML. */
import { contentHash } from '../../base/json/canonical.ts'
import { isPlain } from '../../base/json/plain.ts'
import type { FieldError } from '../../base/refusal.ts'
import { yieldThread } from '../../base/threads/time-slices.ts'
import { tooMuchToRead } from '../../import/text/plain-data.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import type { ResourceType } from '../../model/resource-types.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { Job } from '../engine/apart.ts'
import type { OperationContext } from '../engine/context.ts'
import { KEEP } from '../engine/resource-secrets.ts'
import { kindOf } from '../kinds.ts'
import { fromImport } from '../proxies/contract.ts'
import { proxyKind } from '../proxies/kind.ts'
import { type Desired, toDesired } from './desired.ts'
import { readDocuments } from './read-documents.ts'
import type { Manner } from './steps.ts'
import type { Variables } from './variables.ts'

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
