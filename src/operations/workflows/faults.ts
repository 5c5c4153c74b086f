import { type FieldError, refuse } from '../../base/refusal.ts'
import type { ProxySpec } from '../../model/api/proxy.ts'
import type { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import type { OperationContext } from '../engine/context.ts'
import { calledBy } from '../engine/refs.ts'
import { findingsOf } from './findings.ts'
import { definitionIn, innerOf } from './inner.ts'

/** Faults that a refusal lists. */
const FAULTS_MAX = 50

/**
 * Refuses with configuration_invalid a definition with faults, or one that runs a workflow with faults.
 * @param proxy whose own workflow it is
 */
export async function refuseFaults(
  definition: WorkflowDefinition,
  pointer: string,
  why: string,
  context: OperationContext,
  proxy: ProxySpec | null = null,
): Promise<void> {
  const faults = await faultsOf(definition, context, proxy)
  if (faults.length === 0) {
    await refuseInnerFaults(definition, pointer, why, context)
    return
  }
  throw refuse('configuration_invalid', {
    detail: `${why}: ${faults[0]!.message}.`,
    errors: faults.slice(0, FAULTS_MAX).map(
      (fault): FieldError => ({
        pointer: `${pointer}${fault.pointer}`,
        reason: fault.message,
      }),
    ),
  })
}

/** Refuses with configuration_invalid a definition that runs a workflow with faults, directly or through others. */
async function refuseInnerFaults(
  definition: WorkflowDefinition,
  pointer: string,
  why: string,
  context: OperationContext,
): Promise<void> {
  const seen = new Set<string>()
  const refuseBelow = async (one: WorkflowDefinition, at: string | null): Promise<void> => {
    for (const inner of innerOf(one)) {
      const shown = at ?? `${pointer}${inner.pointer}`
      const stored = seen.has(inner.id) ? undefined : await context.whole.byId('workflows', inner.id)
      if (stored === undefined) continue
      seen.add(inner.id)
      const below = definitionIn(stored.spec)
      if (startsByHand(below)) {
        const called = await calledBy(context.reader, stored)
        throw refuse('configuration_invalid', {
          detail: `${why}, but it runs ${called}, which ${BY_HAND}.`,
          errors: [{ pointer: shown, reason: `${called} ${BY_HAND}` }],
        })
      }
      if ((await faultsOf(below, context)).length > 0) {
        const called = await calledBy(context.reader, stored)
        throw refuse('configuration_invalid', {
          detail: `${why}, but it runs ${called}, which has errors.`,
          errors: [{ pointer: shown, reason: `${called} has errors` }],
        })
      }
      await refuseBelow(below, shown)
    }
  }
  await refuseBelow(definition, null)
}

const BY_HAND = 'starts by hand: it has a manual_trigger'

function startsByHand({ nodes }: WorkflowDefinition): boolean {
  return nodes.some(({ type }) => type === 'manual_trigger')
}

/** Refuses with configuration_invalid a workflow for requests of callers that no request can start. */
export function refuseByHand(definition: WorkflowDefinition, pointer: string, why: string): void {
  if (!startsByHand(definition)) return
  const index = definition.nodes.findIndex(({ type }) => type === 'manual_trigger')
  throw refuse('configuration_invalid', {
    detail: `${why}, and it ${BY_HAND}. Use an http_trigger.`,
    errors: [{ pointer: `${pointer}/nodes/${index}/type`, reason: 'no request of a caller starts it' }],
  })
}

async function faultsOf(
  definition: WorkflowDefinition,
  context: OperationContext,
  proxy: ProxySpec | null = null,
) {
  return (await findingsOf(definition, context, proxy)).filter(({ severity }) => severity === 'error')
}
