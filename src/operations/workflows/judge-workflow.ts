import { isDriverInstalled } from '../../base/drivers.ts'
import { refuse } from '../../base/refusal.ts'
import type { Finding, WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { handlesOf, nodeType } from '../../nodes/definitions.ts'
import type { KnownOrigin } from '../../nodes/known.ts'
import type { RequestTypes } from '../../nodes/request-types.ts'
import { isRunnable, validateDefinition } from '../../nodes/validate.ts'
import type { Job } from '../engine/apart.ts'

type ToolEntry = readonly [
  string,
  { readonly item: Readonly<Record<string, unknown>>; readonly hash: string },
]

/** An origin with the tools that the definition names. */
export type SentOrigin = Omit<KnownOrigin, 'tools'> & { readonly tools: readonly ToolEntry[] | null }

interface Asked {
  readonly definition: WorkflowDefinition
  /** What there is of what it refers to: type and reference. */
  readonly known: readonly string[]
  /** Types by reference. */
  readonly credentials: readonly (readonly [string, string])[]
  readonly origins: readonly (readonly [string, SentOrigin])[]
  readonly request: RequestTypes | null
}

export interface Judged {
  readonly findings: Finding[]
  /** By id; nodes of unknown types are left out. */
  readonly handles: Record<string, string[]>
  /** By itself, whatever it refers to. */
  readonly isRunnable: boolean
}

/** Judges a definition: its expressions alone may be hundreds of thousands. */
export const judgeWorkflow: Job<Asked, Judged> = {
  name: 'workflows.validate',
  msMax: 10_000,
  tooMuch: () =>
    refuse('input_invalid', {
      detail:
        'Validating the workflow takes too long. Make it smaller, or move a part into a workflow of its own.',
      errors: [{ pointer: '/definition', reason: 'takes too long to validate' }],
    }),
  run: ({ definition, known, credentials, origins, request }) => {
    const found = new Set(known)
    const types = new Map(credentials)
    const knownOrigins = new Map<string, KnownOrigin>(
      origins.map(([ref, { tools, ...origin }]) => [
        ref,
        { ...origin, tools: tools === null ? null : new Map(tools) },
      ]),
    )
    const findings = validateDefinition(
      definition,
      {
        has: (type, ref) => found.has(`${type} ${ref}`),
        credentialType: (ref) => types.get(ref),
        origin: (ref) => knownOrigins.get(ref) ?? null,
        hasDriver: isDriverInstalled,
      },
      request,
    )
    return {
      findings,
      isRunnable: findings.every(({ severity }) => severity !== 'error') || isRunnable(definition),
      handles: Object.fromEntries(
        definition.nodes.flatMap((node) => {
          const type = nodeType(node.type)
          return type === undefined ? [] : [[node.id, [...handlesOf(node, type)]]]
        }),
      ),
    }
  },
}
