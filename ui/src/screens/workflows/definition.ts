/**
 * The document of a workflow, and what an editor does to it. All functions are pure: they return another document and leave the given
 * one as it is. The document holds no positions; those lie beside it (`layout.ts`).
 */
import type { Json, JsonObject } from '../../../build/document.ts'
import { isEqual, isObject } from '../../schema/value.ts'
import { renameReferences } from './expression.ts'

export interface WorkflowNode {
  readonly id: string
  readonly type: string
  readonly inputs: JsonObject
  readonly config: JsonObject
  readonly timeout?: string
  readonly retry?: JsonObject
  readonly on_error: 'fail' | 'handle' | 'fallback'
  readonly fallback?: Json
}

export interface WorkflowEdge {
  readonly from: string
  readonly handle: string
  readonly to: string
}

export interface Definition {
  readonly nodes: readonly WorkflowNode[]
  readonly edges: readonly WorkflowEdge[]
  readonly tests?: readonly JsonObject[]
}

/** The place of a handle of a node. */
export interface Exit {
  readonly from: string
  readonly handle: string
}

export const DEFAULT_HANDLE = 'default'
const ID = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
const ID_MAX = 64

/** A definition as the server answers it, with the defaults that it may leave out. */
export function definitionOf(value: Json | undefined): Definition {
  const given = isObject(value) ? value : {}
  const nodes = listOf(given['nodes']).map((node): WorkflowNode => {
    const { id, type, inputs, config, on_error, ...rest } = node
    return {
      ...(rest as Partial<WorkflowNode>),
      id: String(id ?? ''),
      type: String(type ?? ''),
      inputs: isObject(inputs) ? inputs : {},
      config: isObject(config) ? config : {},
      on_error: on_error === 'handle' || on_error === 'fallback' ? on_error : 'fail',
    }
  })
  const edges = listOf(given['edges']).map(
    ({ from, handle, to }): WorkflowEdge => ({
      from: String(from ?? ''),
      handle: typeof handle === 'string' ? handle : DEFAULT_HANDLE,
      to: String(to ?? ''),
    }),
  )
  const tests = given['tests']
  return { nodes, edges, ...(Array.isArray(tests) && { tests: listOf(tests) }) }
}

function listOf(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

/** As JSON, for requests and comparisons. */
export function toJson(definition: Definition): JsonObject {
  return definition as unknown as JsonObject
}

/** True for two documents that say the same. The order of nodes and edges counts: it decides the order of rows. */
export function isSame(one: Definition, other: Definition): boolean {
  return isEqual(toJson(one), toJson(other))
}

export function nodeOf(definition: Definition, id: string): WorkflowNode | undefined {
  return definition.nodes.find((node) => node.id === id)
}

/** `validate` of `validate_node`, with a number if the document or `taken` has it already. */
function freshId(definition: Definition, base: string, taken: ReadonlySet<string> = new Set()): string {
  const stem = ID.test(base) ? base : 'node'
  const isFree = (id: string): boolean => nodeOf(definition, id) === undefined && !taken.has(id)
  if (isFree(stem)) return stem
  const root = stem.replace(/_\d+$/, '')
  for (let number = 2; ; number++) {
    const id = `${root.slice(0, ID_MAX - 6)}_${number}`
    if (isFree(id)) return id
  }
}

/** `validate` of `validate_node`; `http` of `http_trigger`, which documents usually call so. */
function baseId(type: string): string {
  return type.replace(/_(?:node|trigger)$/, '')
}

function newNode(id: string, type: string): WorkflowNode {
  return { id, type, inputs: {}, config: {}, on_error: 'fail' }
}

/** Adds a node of the type, behind a handle if one is given. What the handle leads to stays. */
export function addNode(
  definition: Definition,
  type: string,
  after: Exit | null,
): { readonly definition: Definition; readonly id: string } {
  const id = freshId(definition, baseId(type))
  const edges = after === null ? definition.edges : [...definition.edges, { ...after, to: id }]
  return { definition: { ...definition, nodes: [...definition.nodes, newNode(id, type)], edges }, id }
}

/** Adds a node of the type in the middle of an edge. `handle` is where it goes on; null: it ends the run, and the edge with it. */
export function insertNode(
  definition: Definition,
  edge: WorkflowEdge,
  type: string,
  handle: string | null,
): { readonly definition: Definition; readonly id: string } {
  const id = freshId(definition, baseId(type))
  const edges = definition.edges.flatMap((one): WorkflowEdge[] => {
    if (!isEdge(one, edge)) return [one]
    const into = { ...one, to: id }
    return handle === null ? [into] : [into, { from: id, handle, to: one.to }]
  })
  return { definition: { ...definition, nodes: [...definition.nodes, newNode(id, type)], edges }, id }
}

function isEdge(one: WorkflowEdge, other: WorkflowEdge): boolean {
  return one.from === other.from && one.handle === other.handle && one.to === other.to
}

/** Adds an edge, once. A node does not lead to itself. */
export function connect(definition: Definition, edge: WorkflowEdge): Definition {
  if (edge.from === edge.to || definition.edges.some((one) => isEdge(one, edge))) return definition
  return { ...definition, edges: [...definition.edges, edge] }
}

export function disconnect(definition: Definition, edge: WorkflowEdge): Definition {
  return { ...definition, edges: definition.edges.filter((one) => !isEdge(one, edge)) }
}

/** Leads an edge to another node; null removes it. */
export function retarget(definition: Definition, edge: WorkflowEdge, to: string | null): Definition {
  if (to === null) return disconnect(definition, edge)
  const next = { ...edge, to }
  if (edge.from === to || definition.edges.some((one) => isEdge(one, next))) return definition
  return { ...definition, edges: definition.edges.map((one) => (isEdge(one, edge) ? next : one)) }
}

/** Removes nodes with their edges. Where one way leads into a removed node and one out of it, they are joined. */
export function removeNodes(definition: Definition, ids: readonly string[]): Definition {
  let edges = definition.edges
  for (const id of ids) {
    const into = edges.filter(({ to }) => to === id)
    const out = edges.filter(({ from }) => from === id)
    const rest = edges.filter(({ from, to }) => from !== id && to !== id)
    const [before] = into
    const [after] = out
    const joined = before && after && { ...before, to: after.to }
    const isJoined =
      joined !== undefined &&
      into.length === 1 &&
      out.length === 1 &&
      joined.from !== joined.to &&
      !rest.some((one) => isEdge(one, joined))
    edges = isJoined ? edges.flatMap((one) => (one === before ? [joined] : one === after ? [] : [one])) : rest
  }
  return { ...definition, nodes: definition.nodes.filter(({ id }) => !ids.includes(id)), edges }
}

/** Why a node cannot have this id; null if it can. */
export function idFault(definition: Definition, id: string, next: string): string | null {
  if (!ID.test(next)) return 'Use at most 64 letters, digits and _. Do not start with a digit.'
  return next !== id && nodeOf(definition, next) !== undefined ? `A node "${next}" already exists.` : null
}

/** Gives a node another id: edges, expressions and saved tests that name it follow. */
export function renameNode(definition: Definition, id: string, next: string): Definition {
  if (id === next || idFault(definition, id, next) !== null) return definition
  const names = new Map([[id, next]])
  const { nodes, edges, tests } = definition
  return {
    nodes: nodes.map((node) => ({
      ...node,
      id: node.id === id ? next : node.id,
      inputs: renameReferences(node.inputs, names) as JsonObject,
    })),
    edges: edges.map((edge) => renamedEdge(edge, names)),
    ...(tests !== undefined && { tests: tests.map((test) => renamedTest(test, id, next)) }),
  }
}

function renamedEdge({ from, handle, to }: WorkflowEdge, names: ReadonlyMap<string, string>): WorkflowEdge {
  return { from: names.get(from) ?? from, handle, to: names.get(to) ?? to }
}

/** Mocks and expected branches of a test are named by node. */
function renamedTest(test: JsonObject, id: string, next: string): JsonObject {
  const renamed = (value: Json | undefined): JsonObject =>
    Object.fromEntries(
      Object.entries(isObject(value) ? value : {}).map(([name, one]) => [name === id ? next : name, one]),
    )
  const { mocks, expect } = test
  return {
    ...test,
    ...(isObject(mocks) && { mocks: renamed(mocks) }),
    ...(isObject(expect) &&
      isObject(expect['branches']) && { expect: { ...expect, branches: renamed(expect['branches']) } }),
  }
}

/** Changes members of a node. `undefined` takes a member away. */
export function updateNode(
  definition: Definition,
  id: string,
  changes: { readonly [K in keyof WorkflowNode]?: WorkflowNode[K] | undefined },
): Definition {
  return {
    ...definition,
    nodes: definition.nodes.map((node) =>
      node.id === id
        ? (Object.fromEntries(
            Object.entries({ ...node, ...changes }).filter(([, value]) => value !== undefined),
          ) as unknown as WorkflowNode)
        : node,
    ),
  }
}

/** Some nodes with the edges between them, as they lie on the clipboard. */
export interface Clip {
  readonly nodes: readonly WorkflowNode[]
  readonly edges: readonly WorkflowEdge[]
}

export function clipOf(definition: Definition, ids: readonly string[]): Clip {
  return {
    nodes: definition.nodes.filter(({ id }) => ids.includes(id)),
    edges: definition.edges.filter(({ from, to }) => ids.includes(from) && ids.includes(to)),
  }
}

/** Nodes of a text from the clipboard: a clip, or a whole definition. Null if it is neither. */
export function readClip(text: string): Clip | null {
  try {
    const value = JSON.parse(text) as Json
    if (!isObject(value)) return null
    const { nodes, edges } = definitionOf(isObject(value['definition']) ? value['definition'] : value)
    const isWhole = nodes.length > 0 && nodes.every(({ id, type }) => ID.test(id) && type !== '')
    return isWhole ? { nodes, edges } : null
  } catch {
    return null
  }
}

/**
 * Adds the nodes of a clip. A node whose id is taken gets a free one, and the edges and expressions of the clip name it by that. What
 * the clip says of nodes outside of it stays.
 */
export function paste(
  definition: Definition,
  clip: Clip,
): { readonly definition: Definition; readonly ids: readonly string[] } {
  const names = new Map<string, string>()
  for (const { id } of clip.nodes)
    names.set(id, freshId(definition, id, new Set([...names.values(), ...others(clip, id, names)])))
  const nodes = clip.nodes.map((node) => ({
    ...node,
    id: names.get(node.id)!,
    inputs: renameReferences(node.inputs, names) as JsonObject,
  }))
  const edges = clip.edges
    .filter(({ from, to }) => names.has(from) && names.has(to))
    .map((edge) => renamedEdge(edge, names))
  return {
    definition: {
      ...definition,
      nodes: [...definition.nodes, ...nodes],
      edges: [...definition.edges, ...edges],
    },
    ids: nodes.map(({ id }) => id),
  }
}

/** Ids of the clip that keep their names: a new name must not meet one that comes later. */
function others({ nodes }: Clip, own: string, named: ReadonlyMap<string, string>): string[] {
  return nodes.flatMap(({ id }) => (id !== own && !named.has(id) ? [id] : []))
}
