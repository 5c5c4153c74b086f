import { canonicalJson } from '../../base/canonical.ts'
import type { FieldError } from '../../base/refusal.ts'
import type { Fields } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'
import { type Desired, toDesired } from './desired.ts'
import { readDocuments } from './read-documents.ts'
import type { Manner } from './steps.ts'
import type { Variables } from './variables.ts'

interface Given {
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

/** Documents as they were given, read and judged. */
export async function take(given: Given, { vault }: Pick<OperationContext, 'vault'>): Promise<Taken> {
  const { managed_by: owner, prune, take_over: takeOver } = given
  const { documents, warnings } = await readDocuments(given.documents, given.variables)
  const plain = documents.map(({ kind, slug, spec }) => ({ kind: kind.noun, slug, spec }))
  return {
    desired: await toDesired(documents),
    manner: { owner, prune, takeOver },
    fingerprint: vault.fingerprint(canonicalJson({ documents: plain, owner, prune, takeOver })),
    warnings,
  }
}
