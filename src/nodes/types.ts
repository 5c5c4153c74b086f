/**
 * Judges the types of outputs and inputs before a run: members that no node gives, and values of another type than an input
 * takes. Only certain faults are findings. A value whose type is known only in the run may be anything.
 */
import type { ObjectSchema } from '@marcbachmann/cel-js'
import { isPlain, pointerTo } from '../base/json/storable.ts'
import { isNameable, type TypedReader, typedReader } from '../model/workflow/expression.ts'
import { readTemplate } from '../model/workflow/template.ts'
import type { Finding, WorkflowDefinition, WorkflowNode } from '../model/workflow/workflow.ts'
import { nodeType } from './definitions.ts'
import { textsIn } from './expressions.ts'
import { membersOf, type RequestTypes, type Shape } from './request-types.ts'

/** Types as the definitions of nodes name them, and in CEL. Integers and decimals mix. */
const TYPES: Readonly<Record<string, { readonly cel: string; readonly also: readonly string[] }>> = {
  string: { cel: 'string', also: ['google.protobuf.Timestamp', 'google.protobuf.Duration'] },
  boolean: { cel: 'bool', also: [] },
  integer: { cel: 'int', also: ['double'] },
  number: { cel: 'dyn', also: ['int', 'double'] },
  list: { cel: 'list', also: [] },
  object: { cel: 'map', also: [] },
}
/** Values of a failed node that the handle `error` is for. */
const ERROR: ObjectSchema = { kind: 'string', message: 'string' }
/** Operators and functions for types that are certain. Objects of nodes, numbers of two kinds and null take part in more than CEL checks. */
const OVERLOAD = /^(?:no such overload|found no matching overload for|Ternary condition must be bool)\b/
const UNCERTAIN = /\$|\b(?:null|dyn|map|list|double)\b/
const NO_MEMBER = /^No such key: (\w+)/

/**
 * Expressions over members that are not there or of types that do not fit, and inputs of another type.
 * @param request what is known of the requests; null for nothing
 */
export function typeFindings(definition: WorkflowDefinition, request: RequestTypes | null = null): Finding[] {
  const { nodes } = definition
  const known = nodes.filter(({ id }) => isNameable(id))
  const untyped = typedReader(Object.fromEntries(known.map(({ id }) => [id, 'dyn'])))
  const typed = typedReader(shapesOf(definition, known, request))
  return nodes.flatMap((node, index) =>
    [...expressionMismatches(node, untyped, typed), ...inputMismatches(node, typed)].map(
      ({ pointer, reason }): Finding => ({
        code: 'type_mismatch',
        severity: 'error',
        pointer: pointerTo('/nodes', index, 'inputs') + pointer,
        node_id: node.id,
        message: reason,
      }),
    ),
  )
}

interface Mismatch {
  readonly pointer: string
  readonly reason: string
}

function expressionMismatches(
  { inputs }: WorkflowNode,
  untyped: TypedReader,
  typed: TypedReader,
): Mismatch[] {
  return textsIn(inputs, '').flatMap(({ text, pointer }) => {
    if (!text.includes('{{') || readTemplate(text, untyped).faults.length > 0) return []
    return readTemplate(text, typed, pointer).faults.flatMap(({ reason }) => {
      const [, name] = NO_MEMBER.exec(reason) ?? []
      if (name !== undefined)
        return [{ pointer, reason: `there is no member ${name}: ${expressionIn(reason)}` }]
      const types = reason.slice(0, -expressionIn(reason).length)
      return OVERLOAD.test(types) && !UNCERTAIN.test(types) ? [{ pointer, reason }] : []
    })
  })
}

/** Of a fault of a template: what follows its reason. */
function expressionIn(reason: string): string {
  return reason.slice(reason.indexOf('{{'))
}

function inputMismatches({ type, inputs }: WorkflowNode, typed: TypedReader): Mismatch[] {
  const taken = nodeType(type)?.inputs ?? {}
  return Object.entries(inputs).flatMap(([name, value]) => {
    const text = taken[name] ?? taken[`${name}?`]
    const wanted = text === undefined ? null : typeNamed(text)
    const given = typeOf(value, typed)
    const isAbsent = given === 'null' && !(name in taken)
    if (wanted === null || given === null || isAbsent) return []
    const { cel, also } = TYPES[wanted]!
    if (given === cel || also.includes(given)) return []
    return [
      { pointer: pointerTo('', name), reason: `takes ${withArticle(wanted)}, and gets ${shown(given)}` },
    ]
  })
}

/** The type of a value in CEL, with all objects and all lists as one; null where only a run can tell. */
function typeOf(value: unknown, typed: TypedReader): string | null {
  if (value === null) return 'null'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'double'
  if (Array.isArray(value)) return 'list'
  if (isPlain(value)) return 'map'
  let type: string | null = null
  const { template, faults } = readTemplate(value, (text) => {
    const read = typed(text)
    type = 'type' in read ? read.type : null
    return read
  })
  if (faults.length > 0) return null
  return 'program' in template ? plainType(type) : 'string'
}

function plainType(type: string | null): string | null {
  if (type === null || type === 'dyn') return null
  if (type.startsWith('$') || type.startsWith('map')) return 'map'
  return type.startsWith('list') ? 'list' : type
}

/** The types of the outputs of nodes, by id. */
function shapesOf(
  { nodes, edges }: WorkflowDefinition,
  known: readonly WorkflowNode[],
  request: RequestTypes | null,
): Readonly<Record<string, Shape>> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const shapes = new Map<string, Shape>()
  const shapeOf = (node: WorkflowNode): Shape => {
    const found = shapes.get(node.id)
    if (found !== undefined) return found
    // For a node that lies on the way to itself
    shapes.set(node.id, 'dyn')
    const made = outputsOf(node, request, () =>
      edges.flatMap(({ from, to }) => {
        const before = to === node.id ? byId.get(from) : undefined
        return before === undefined ? [] : [[from, shapeOf(before)] as const]
      }),
    )
    shapes.set(node.id, made)
    return made
  }
  return Object.fromEntries(known.map((node) => [node.id, shapeOf(node)]))
}

/** @param before outputs of the nodes whose edges lead to it */
function outputsOf(
  { type: name, inputs, on_error }: WorkflowNode,
  request: RequestTypes | null,
  before: () => readonly (readonly [string, Shape])[],
): Shape {
  const type = nodeType(name)
  if (type === undefined || on_error === 'fallback') return 'dyn'
  const isHandled = on_error === 'handle' || type.handles.includes('error')
  const error: readonly (readonly [string, Shape])[] = isHandled ? [['error', ERROR]] : []
  // Names that a definition chooses: those of its inputs, or of the nodes before
  if ('*' in type.outputs) {
    const names = '*' in type.inputs ? Object.keys(inputs).map((one) => [one, 'dyn'] as const) : before()
    return membersOf([...names, ...error])
  }
  const outputs = Object.entries(type.outputs).map(([output, text]): readonly [string, Shape] => {
    const members = type.members?.[output]
    if (members === undefined) return [output, celType(text)]
    const certain = (type.phase === 'trigger' && output === 'request' && request) || {}
    return [
      output,
      membersOf(Object.entries(members).map(([member, of]) => [member, certain[member] ?? celType(of)])),
    ]
  })
  return membersOf([...outputs, ...error])
}

function celType(text: string): string {
  const type = typeNamed(text)
  return type === null ? 'dyn' : TYPES[type]!.cel
}

/** The type that a description begins with; null for any, and for several. */
function typeNamed(text: string): string | null {
  const [name = ''] = /^\w+/.exec(text) ?? []
  return Object.hasOwn(TYPES, name) && !/\bor\b|\bnull\b/.test(text) ? name : null
}

function withArticle(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

/** A type of CEL in the words of definitions. */
function shown(cel: string): string {
  if (cel === 'null') return 'null'
  if (cel === 'double') return 'a number'
  const [name] = Object.entries(TYPES).find(([, one]) => one.cel === cel || one.also.includes(cel)) ?? [cel]
  return withArticle(name)
}
