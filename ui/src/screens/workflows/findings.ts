/** What validation finds, at its place in the editor. */
import type { Output } from '../../api/client.ts'
import type { Definition } from './definition.ts'

export type Finding = Output<'workflows.validate'>['findings'][number]

/** The node that a finding is about, by its id or its pointer; null: the workflow as a whole, or an edge. */
export function nodeOfFinding({ node_id, pointer }: Finding, { nodes, edges }: Definition): string | null {
  if (node_id !== undefined) return node_id
  const [, list, index] = /^\/(nodes|edges)\/(\d+)/.exec(pointer) ?? []
  if (list === 'nodes') return nodes[Number(index)]?.id ?? null
  return list === 'edges' ? (edges[Number(index)]?.from ?? null) : null
}

/** Findings by node. */
export function byNode(
  findings: readonly Finding[],
  definition: Definition,
): ReadonlyMap<string, readonly Finding[]> {
  const found = new Map<string, Finding[]>()
  for (const finding of findings) {
    const id = nodeOfFinding(finding, definition)
    if (id !== null) found.set(id, [...(found.get(id) ?? []), finding])
  }
  return found
}

/** Messages for the fields of a node, by pointer below the node, such as `/inputs/path`. */
export function fieldErrors(
  findings: readonly Finding[],
  definition: Definition,
  id: string,
): Readonly<Record<string, string>> {
  const index = definition.nodes.findIndex((node) => node.id === id)
  const place = `/nodes/${index}/`
  return Object.fromEntries(
    findings
      .filter(({ pointer }) => pointer.startsWith(place))
      .map(({ pointer, message }) => [pointer.slice(place.length - 1), message]),
  )
}

/** The worst of some findings; null for none. */
export function worstOf(findings: readonly Finding[]): 'error' | 'warning' | null {
  if (findings.length === 0) return null
  return findings.some(({ severity }) => severity === 'error') ? 'error' : 'warning'
}
