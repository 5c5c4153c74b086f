import { isPlain } from '../base/plain.ts'
import { pointerTo } from '../base/pointer.ts'
import type { Finding, WorkflowDefinition } from '../model/workflow.ts'
import { ancestorsOf } from './graph.ts'

/** `{{ ... }}` */
const EXPRESSION = /\{\{([\s\S]*?)\}\}/g
/** `$.node.field` and `$json['node'].field`. */
const REFERENCE = /\$(?:\.([A-Za-z_][A-Za-z0-9_]*)|json\[\s*(?:'([^']*)'|"([^"]*)")\s*\])/g

const DEPTH_MAX = 32

/** Texts with braces that are not closed, and references to nodes that are not there or do not run before. */
export function expressionFaults(definition: WorkflowDefinition): Finding[] {
  const ids = new Set(definition.nodes.map(({ id }) => id))
  const before = ancestorsOf(definition)
  return definition.nodes.flatMap(({ id, inputs }, index) =>
    textsIn(inputs, pointerTo('/nodes', index, 'inputs')).flatMap(({ text, pointer }): Finding[] => {
      const finding = (code: Finding['code'], message: string): Finding => ({
        code,
        severity: 'error',
        pointer,
        node_id: id,
        message,
      })
      const rest = text.replace(EXPRESSION, '')
      if (rest.includes('{{') || rest.includes('}}'))
        return [finding('bad_expression', 'the braces of an expression are not closed')]
      const named = [...text.matchAll(EXPRESSION)].flatMap(([, inner]) =>
        [...inner!.matchAll(REFERENCE)].map((match) => match[1] ?? match[2] ?? match[3]!),
      )
      return [...new Set(named)].flatMap((name) => {
        if (!ids.has(name)) return [finding('unknown_reference', `there is no node "${name}"`)]
        return before.get(id)!.has(name)
          ? []
          : [finding('unknown_reference', `the node "${name}" does not run before this one`)]
      })
    }),
  )
}

function textsIn(
  value: unknown,
  pointer: string,
  depth: number = 0,
): { readonly text: string; readonly pointer: string }[] {
  if (typeof value === 'string') return [{ text: value, pointer }]
  if (depth > DEPTH_MAX) return []
  if (Array.isArray(value))
    return value.flatMap((item, index) => textsIn(item, pointerTo(pointer, index), depth + 1))
  if (!isPlain(value)) return []
  return Object.entries(value).flatMap(([name, item]) => textsIn(item, pointerTo(pointer, name), depth + 1))
}
