/** The servers that nodes of a definition call beside the upstream. */
import { isPlain, pointerTo, scalarText } from '../../base/json/storable.ts'
import type { WorkflowDefinition } from '../../model/workflow/workflow.ts'
import { nodeType } from '../../nodes/definitions.ts'
import { type NodeDestination, REFERENCES } from '../../nodes/node-type.ts'
import { referencesOf } from '../../nodes/validate.ts'
import type { OperationContext } from '../engine/context.ts'
import type { Kind } from '../engine/kind.ts'
import type { RefField } from '../engine/kind-schema.ts'
import { getRef } from '../engine/refs.ts'
import { refuseEgress } from '../engine/write-resource.ts'

/**
 * References of the nodes of a definition: stored as ids, and held against the deletion of what they name.
 * @param member Of the spec, that has the definition.
 */
export function nodeRefs(member: string): readonly RefField[] {
  return Object.entries(REFERENCES).map(([field, type]) => ({
    field,
    type,
    within: [member, 'nodes', 'config'],
    isInner: true,
  }))
}

interface Asked {
  /** Of the settings of the node, within the definition. */
  readonly pointer: string
  readonly destination: NodeDestination
}

/** @param definition may be anything: it is judged later. Nodes whose settings have faults ask nothing. */
function destinationsOf(definition: unknown): readonly Asked[] {
  const nodes = isPlain(definition) ? definition['nodes'] : []
  if (!Array.isArray(nodes)) return []
  return nodes.flatMap((node: unknown, index): Asked[] => {
    if (!isPlain(node) || !isPlain(node['config'])) return []
    const destination = nodeType(scalarText(node['type']) ?? '')?.destination?.(node['config']) ?? null
    return destination === null ? [] : [{ pointer: pointerTo('/nodes', index, 'config'), destination }]
  })
}

/**
 * The members of a kind whose specs have definitions: URLs that the egress rule judges, and credentials with where they are sent.
 * @param member Of the spec, that has the definition.
 */
export function nodeDestinations(member: string): Pick<Kind, 'asks' | 'uses'> {
  return {
    asks: (spec) =>
      destinationsOf(spec[member]).map(({ pointer, destination }) => ({
        pointer: `/${member}${pointer}/${destination.member}`,
        url: destination.url,
      })),
    uses: (spec) =>
      destinationsOf(spec[member]).flatMap(({ destination: { credential, url, tls } }) =>
        credential === null ? [] : [{ credential, to: [url, tls] }],
      ),
  }
}

const DEFINITION = nodeDestinations('definition')

/**
 * What storing a definition would demand, for one that is run without being stored: its URLs may be asked, and the principal may send
 * its credentials and call its origins. Refuses with configuration_invalid, not_found, permission_denied.
 * @param definition Has ids in the place of slugs.
 */
export async function demandDestinations(
  definition: WorkflowDefinition,
  context: OperationContext,
): Promise<void> {
  for (const { type, ref } of referencesOf(definition)) {
    // An id may be of what the principal does not see
    const found = await getRef(context.reader, type, ref)
    if (type === 'credentials') await context.demand('credentials:use', found)
    if (type === 'origins') await context.demand('origins:read', found)
  }
  refuseEgress(context, DEFINITION, { definition })
}
