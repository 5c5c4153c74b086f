/** Expressions of inputs, as far as an editor looks into them: which nodes they read, and what can follow a path. The server judges them. */
import type { Json } from '../../../build/document.ts'
import { isObject } from '../../schema/value.ts'

const NAME = /^[A-Za-z_]\w*$/

/** Calls the function with each expression of a text, and puts what it returns in its place. */
function mapExpressions(text: string, map: (expression: string) => string): string {
  return text.replaceAll(/\{\{[\s\S]*?\}\}/g, (whole) => `{{${map(whole.slice(2, -2))}}}`)
}

/** Literals, then the three ways to name a node: `$.id`, `$json['id']`, and `id` before a member. */
const REFERENCES =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$\.([A-Za-z_]\w*)|\$json\[\s*(['"])([A-Za-z_]\w*)\2\s*\]|(?<![\w.$])([A-Za-z_]\w*)(?=\s*[.[])/g

/** The value with other names for nodes in all its expressions. */
export function renameReferences(value: Json, names: ReadonlyMap<string, string>): Json {
  if (typeof value === 'string') return value.includes('{{') ? renameInText(value, names) : value
  if (Array.isArray(value)) return value.map((item) => renameReferences(item, names))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, renameReferences(member, names)]),
  )
}

function renameInText(text: string, names: ReadonlyMap<string, string>): string {
  return mapExpressions(text, (expression) =>
    expression.replaceAll(REFERENCES, (whole, short, quote, long, bare) => {
      const name: string | undefined = short ?? long ?? bare
      const next = name === undefined ? undefined : names.get(name)
      if (next === undefined) return whole
      if (short !== undefined) return `$.${next}`
      if (long !== undefined) return `$json[${quote}${next}${quote}]`
      // A variable that `map` and the like declare hides the node
      return new RegExp(`\\(\\s*${name}\\s*,`).test(expression) ? whole : next
    }),
  )
}

export type Steps = readonly (string | number)[]

/** `$.check.errors[0]["x-y"]` of the steps from the outputs of a node. */
export function pathTo(node: string, steps: Steps): string {
  return `$.${node}${steps
    .map((step) =>
      typeof step === 'number' ? `[${step}]` : NAME.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`,
    )
    .join('')}`
}

/** What stands before the caret within an expression, from the last `$`: `$.call.bo` of `{{ $.call.bo`. Null outside of a path. */
export function pathBefore(
  text: string,
  caret: number,
): { readonly start: number; readonly path: string } | null {
  const before = text.slice(0, caret)
  const opened = before.lastIndexOf('{{')
  if (opened === -1 || before.indexOf('}}', opened) !== -1) return null
  const path = /\$(?:\.[\w.[\]]*)?$/.exec(before.slice(opened + 2))?.[0]
  return path === undefined ? null : { start: caret - path.length, path }
}

/** What is known of the outputs of a node: their names with what they hold, and the values of the last run. */
export interface Known {
  readonly id: string
  /** Names of outputs with their types, as `workflows.nodes` tells them. */
  readonly outputs: Readonly<Record<string, string>>
  /** Outputs of the last run; undefined if it did not run. */
  readonly values: Json | undefined
}

export interface Completion {
  /** The whole path. */
  readonly path: string
  readonly hint: string
}

/** Members of the output, where its type lists them: `object: method, path`. */
function membersOf(type: string | undefined): string[] {
  const [, names] = /^object: ([\w, ]+)$/.exec(type ?? '') ?? []
  return names?.split(', ') ?? []
}

function shortText(value: Json | undefined): string {
  if (value === undefined) return ''
  const text = JSON.stringify(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

/** What can stand in the place of an unfinished path: nodes that run before, then their outputs, then keys that the last run had. */
export function completionsOf(path: string, known: readonly Known[]): readonly Completion[] {
  const steps = path.replace(/^\$\.?/, '').split(/\.|\[/)
  const typed = steps.pop() ?? ''
  const [id, ...inner] = steps
  const fits = ({ path: one }: Completion): boolean => {
    const last = one.slice(one.lastIndexOf('.') + 1)
    return last.startsWith(typed) && last !== typed
  }
  if (id === undefined) return known.map((node) => ({ path: `$.${node.id}`, hint: 'node' })).filter(fits)
  const node = known.find((one) => one.id === id)
  if (node === undefined) return []
  const start = path.slice(0, path.length - typed.length).replace(/[.[]$/, '')
  const value = at(node.values, inner)
  const listed =
    inner.length === 0
      ? Object.entries(node.outputs).filter(([name]) => name !== '*')
      : inner.length === 1
        ? membersOf(node.outputs[inner[0]!]).map((name) => [name, ''] as const)
        : []
  const found = isObject(value) ? Object.keys(value).filter((name) => NAME.test(name)) : []
  const names = [...new Set([...listed.map(([name]) => name), ...found])]
  const types = new Map<string, string>(listed)
  return names
    .map((name) => ({
      path: `${start}.${name}`,
      hint: shortText(isObject(value) ? value[name] : undefined) || (types.get(name) ?? ''),
    }))
    .filter(fits)
}

function at(value: Json | undefined, steps: readonly string[]): Json | undefined {
  let found = value
  for (const step of steps) {
    const name = step.replace(/\]$/, '')
    if (Array.isArray(found)) found = found[Number(name)]
    else if (isObject(found) && Object.hasOwn(found, name)) found = found[name]
    else return undefined
  }
  return found
}

/** The value of a text that is one plain path, such as `{{ $.call.body.id }}`, in the last run; undefined if that does not tell. */
export function lastValueOf(text: string, known: readonly Known[]): Json | undefined {
  const [, id, rest] = /^\{\{\s*\$\.(\w+)((?:\.\w+|\[\d+\])*)\s*\}\}$/.exec(text) ?? []
  const node = known.find((one) => one.id === id)
  if (node === undefined) return undefined
  return at(node.values, rest === undefined || rest === '' ? [] : rest.slice(1).split(/\.|\[/))
}
