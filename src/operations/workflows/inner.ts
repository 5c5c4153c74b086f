/** Workflows that run other workflows: they never lead back to themselves, and the depth is bounded. */
import { pointerTo } from '../../base/json/storable.ts'
import { refuse } from '../../base/refusal.ts'
import { WORKFLOW_LEVELS_MAX } from '../../model/bounds.ts'
import type { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import type { Fields, Resource } from '../../store/ports/resource.ts'
import type { OperationContext } from '../engine/context.ts'

type Whole = Pick<OperationContext['whole'], 'byId' | 'usersOf'>

interface Inner {
  /** Id of the workflow. */
  readonly id: string
  /** Of the reference, within the definition. */
  readonly pointer: string
}

/** The workflows that nodes of a definition run. */
export function innerOf({ nodes }: WorkflowDefinition): readonly Inner[] {
  return nodes.flatMap(({ config }, index) => {
    const { workflow } = config
    return typeof workflow === 'string'
      ? [{ id: workflow, pointer: pointerTo('/nodes', index, 'config', 'workflow') }]
      : []
  })
}

/** The definition of a stored workflow. */
export function definitionIn(spec: Fields): WorkflowDefinition {
  // Parsed by the schema of the kind
  return spec['definition'] as WorkflowDefinition
}

/**
 * Refuses with configuration_invalid a definition by which a workflow would run itself, or workflows would run within one another too
 * deep.
 * @param self Id of the workflow that gets the definition; null for one that stands in a proxy.
 */
export async function refuseNesting(
  definition: WorkflowDefinition,
  pointer: string,
  self: string | null,
  { whole }: OperationContext,
): Promise<void> {
  const inner = innerOf(definition)
  if (inner.length === 0) return
  const above = self === null ? 0 : await levelsAbove(self, whole, new Map())
  const known = new Map<string, number>()
  for (const { id, pointer: at } of inner) {
    const below = await levelsFrom(id, self, whole, known)
    const reason =
      below === Number.POSITIVE_INFINITY
        ? 'it leads back to this workflow'
        : above + below > WORKFLOW_LEVELS_MAX
          ? `workflows would run within one another ${above + below} deep, and at most ${WORKFLOW_LEVELS_MAX} are allowed`
          : null
    if (reason !== null)
      throw refuse('configuration_invalid', {
        detail: `A node cannot run this workflow: ${reason}.`,
        errors: [{ pointer: pointer + at, reason }],
      })
  }
}

/** Levels from a workflow downwards, itself included; infinite where it leads to `self`. */
async function levelsFrom(
  id: string,
  self: string | null,
  whole: Whole,
  known: Map<string, number>,
): Promise<number> {
  if (id === self) return Number.POSITIVE_INFINITY
  const before = known.get(id)
  if (before !== undefined) return before
  const stored = await whole.byId('workflows', id)
  let most = 0
  if (stored !== undefined)
    for (const inner of innerOf(definitionIn(stored.spec)))
      most = Math.max(most, await levelsFrom(inner.id, self, whole, known))
  known.set(id, most + 1)
  return most + 1
}

/** Levels of workflows that run one, directly or through others. */
async function levelsAbove(id: string, whole: Whole, known: Map<string, number>): Promise<number> {
  const before = known.get(id)
  if (before !== undefined) return before
  // What is stored leads to no circle, but for this very change
  known.set(id, 0)
  let most = 0
  for (const user of await whole.usersOf(id))
    if (user.type === 'workflows') most = Math.max(most, 1 + (await levelsAbove(user.id, whole, known)))
  known.set(id, most)
  return most
}

/** A published proxy that runs a workflow, directly or through others. */
export async function publishedOver(
  id: string,
  whole: Whole,
  seen: Set<string> = new Set(),
): Promise<Resource | undefined> {
  if (seen.has(id)) return undefined
  seen.add(id)
  const users = await whole.usersOf(id)
  const direct = users.find(({ type, spec }) => type === 'proxies' && spec['status'] === 'published')
  if (direct !== undefined) return direct
  for (const user of users) {
    const found = user.type === 'workflows' ? await publishedOver(user.id, whole, seen) : undefined
    if (found !== undefined) return found
  }
  return undefined
}
