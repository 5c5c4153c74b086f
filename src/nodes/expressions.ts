import { linkTemplate } from '../base/expression/template.ts'
import { isPlain, pointerTo } from '../base/json/storable.ts'
import { isNameable, type Variables, valueReader } from '../model/workflow/expression.ts'
import { readTemplate } from '../model/workflow/template.ts'
import type { Finding, WorkflowDefinition } from '../model/workflow/workflow.ts'
import { ancestorsOf } from './graph.ts'

/** As the type checker says it. */
const UNKNOWN = /^Unknown variable: (\w+)/

const DEPTH_MAX = 32
/** Expressions of one definition: each is read by a parser. */
const EXPRESSIONS_MAX = 5000

/** What expressions may read: the outputs of all nodes, by id. Their types are known in the run. */
export function variablesOf({ nodes }: WorkflowDefinition): Variables {
  return Object.fromEntries(nodes.map(({ id }) => [id, 'dyn']))
}

/** Expressions that cannot be read, and those that read nodes which are not there or do not run before. */
export function expressionFaults(definition: WorkflowDefinition): Finding[] {
  const variables = variablesOf(definition)
  const read = valueReader(variables)
  const names = Object.keys(variables)
  const before = ancestorsOf(definition)
  if (countOf(definition) > EXPRESSIONS_MAX)
    return [
      {
        code: 'bad_expression',
        severity: 'error',
        pointer: '/nodes',
        message: `more than ${EXPRESSIONS_MAX} expressions; move a part into a workflow of its own`,
      },
    ]
  return definition.nodes.flatMap(({ id, inputs }, index) =>
    textsIn(inputs, pointerTo('/nodes', index, 'inputs')).flatMap(({ text, pointer }): Finding[] => {
      const { template, faults } = readTemplate(text, read, pointer)
      const reserved =
        faults.length === 0 ? [] : names.filter((name) => !isNameable(name) && text.includes(name))
      if (reserved.length > 0)
        return [
          {
            code: 'bad_expression',
            severity: 'error',
            pointer,
            node_id: id,
            message: `"${reserved[0]}" is a word of CEL: give the node another id to read its outputs`,
          },
        ]
      const late = [...linkTemplate(template, names).reads].filter((name) => !before.get(id)!.has(name))
      return [
        ...faults.map(({ reason }) => faultOf(reason)),
        ...late.map(
          (name) => ['unknown_reference', `the node "${name}" does not run before this one`] as const,
        ),
      ].map(([code, message]) => ({ code, severity: 'error', pointer, node_id: id, message }))
    }),
  )
}

function countOf({ nodes }: WorkflowDefinition): number {
  const texts = nodes.flatMap(({ inputs }) => textsIn(inputs, ''))
  return texts.reduce((count, { text }) => count + text.split('{{').length - 1, 0)
}

function faultOf(reason: string): readonly [Finding['code'], string] {
  const [, name] = UNKNOWN.exec(reason) ?? []
  return name === undefined ? ['bad_expression', reason] : ['unknown_reference', `there is no node "${name}"`]
}

/** All texts of a value, with their places. */
export function textsIn(
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
