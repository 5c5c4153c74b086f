/** The servers that nodes of a definition ask beside the upstream. */
import { isPlain } from '../../base/plain.ts'
import { pointerTo } from '../../base/pointer.ts'
import { nodeType } from '../../nodes/definitions.ts'
import type { NodeDestination } from '../../nodes/node-type.ts'
import type { Kind } from '../engine/kind.ts'

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
    const destination = nodeType(String(node['type']))?.destination?.(node['config']) ?? null
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
