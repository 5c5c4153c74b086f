/** Executes templates of the subset. It ends after a bounded number of steps, whatever the template says. */
import { FUNCTIONS, isEmpty, printed, type Value } from './functions.ts'
import { type Node, type Operand, parseTemplate, TemplateError } from './syntax.ts'

const STEPS_MAX = 50_000
const INCLUDES_MAX = 30
/** Of everything that functions and templates give, in characters. */
const PRODUCED_MAX = 4_000_000

interface Scope {
  readonly dot: Value
  readonly variables: ReadonlyMap<string, Value>
}

/** Template files that are read and go together. */
export interface Templates {
  /** What the files write, by name. Files whose base name begins with `_` only define. */
  readonly bodies: ReadonlyMap<string, readonly Node[]>
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

/** Reads template files. @param files Source by name. Throws {@link TemplateError}. */
export function readTemplates(files: ReadonlyMap<string, string>): Templates {
  const bodies = new Map<string, readonly Node[]>()
  const defined = new Map<string, readonly Node[]>()
  for (const [file, source] of files) {
    const template = parseTemplate(file, source)
    for (const [name, body] of template.defined) {
      if (defined.has(name)) throw new TemplateError(file, 1, `"${name}" is defined in two files`)
      defined.set(name, body)
    }
    if (!/(^|\/)_[^/]*$/.test(file)) bodies.set(file, template.body)
  }
  return { bodies, defined }
}

/**
 * Executes templates.
 * @param root The dot: `Values`, `Chart` and `Release`.
 * @returns What the files write, by name. Throws {@link TemplateError} with file and line.
 */
export function renderTemplates({ bodies, defined }: Templates, root: Value): Map<string, string> {
  const scope = { dot: root, variables: new Map([['$', root]]) }
  return new Map([...bodies].map(([file, body]) => [file, new Run(defined).nodes(body, scope)]))
}

class Run {
  readonly #defined: ReadonlyMap<string, readonly Node[]>
  #steps = 0
  #produced = 0
  #includes = 0

  constructor(defined: ReadonlyMap<string, readonly Node[]>) {
    this.#defined = defined
  }

  nodes(nodes: readonly Node[], scope: Scope): string {
    return this.#made(nodes.map((node) => this.#node(node, scope)).join(''))
  }

  #node(node: Node, scope: Scope): string {
    try {
      this.#step()
      if (node.kind === 'text') return this.#made(node.text)
      const value = this.#value(node.value, scope)
      if (node.kind === 'output') return printed(value)
      if (isEmpty(value)) return this.nodes(node.other, scope)
      if (node.kind === 'range') return this.#range(node.body, node.variables, value, scope)
      return this.nodes(node.body, node.kind === 'if' ? scope : { ...scope, dot: value })
    } catch (error) {
      if (error instanceof TemplateError || !(error instanceof Error)) throw error
      throw new TemplateError(node.file, node.line, error.message)
    }
  }

  #range(body: readonly Node[], names: readonly string[], value: Value, { variables }: Scope): string {
    const texts = itemsOf(value).map(([key, item]) => {
      const values = names.length === 1 ? [item] : [key, item]
      const named = names.map((name, index) => [name, values[index]!] as const)
      return this.nodes(body, { dot: item, variables: new Map([...variables, ...named]) })
    })
    return texts.join('')
  }

  #value(operand: Operand, scope: Scope): Value {
    this.#step()
    if (operand.kind === 'literal') return operand.value
    if (operand.kind === 'path') return memberOf(rootOf(operand.variable, scope), operand.path)
    return this.#call(operand.name, operand.inputs, scope)
  }

  #call(name: string, inputs: readonly Operand[], scope: Scope): Value {
    if (name === 'and' || name === 'or') {
      if (inputs.length < 2) throw new Error(`${name} takes two inputs or more`)
      let value: Value = null
      for (const input of inputs) {
        value = this.#value(input, scope)
        if (isEmpty(value) === (name === 'and')) break
      }
      return value
    }
    const values = inputs.map((input) => this.#value(input, scope))
    if (name === 'include') return this.#include(values)
    if (!Object.hasOwn(FUNCTIONS, name)) throw new Error(`the function ${name} is not in the subset`)
    const {
      inputs: [min, max],
      run,
    } = FUNCTIONS[name]!
    if (values.length < min || values.length > max)
      throw new Error(`${name} takes ${min === max ? min : `${min} to ${max}`} inputs`)
    const value = run(values)
    return typeof value === 'string' ? this.#made(value) : value
  }

  #include([name, dot, ...more]: readonly Value[]): string {
    if (typeof name !== 'string' || dot === undefined || more.length > 0)
      throw new Error('include takes the name of a template and its dot')
    const body = this.#defined.get(name)
    if (body === undefined) throw new Error(`no template "${name}" is defined`)
    if (this.#includes >= INCLUDES_MAX) throw new Error('templates include each other too deeply')
    this.#includes += 1
    const text = this.nodes(body, { dot, variables: new Map([['$', dot]]) })
    this.#includes -= 1
    return text
  }

  #step(): void {
    this.#steps += 1
    if (this.#steps > STEPS_MAX) throw new Error(`takes more than ${STEPS_MAX} steps`)
  }

  #made(text: string): string {
    this.#produced += text.length
    if (this.#produced > PRODUCED_MAX) throw new Error(`makes more than ${PRODUCED_MAX} characters`)
    return text
  }
}

function rootOf(variable: string | null, { dot, variables }: Scope): Value {
  if (variable === null) return dot
  const value = variables.get(variable)
  if (value === undefined) throw new Error(`the variable ${variable} is not defined`)
  return value
}

/** A member that is missing is null; a member of what is no object is refused. */
function memberOf(root: Value, path: readonly string[]): Value {
  let value = root
  for (const name of path) {
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw new Error(`.${name} is asked of what has no members`)
    const object = value as { readonly [name: string]: Value }
    value = Object.hasOwn(object, name) ? object[name]! : null
  }
  return value
}

/** Items with their keys; those of an object in the order of the keys. */
function itemsOf(value: Value): [string | number, Value][] {
  if (value === null || typeof value !== 'object') throw new Error('range takes a list or an object')
  if (Array.isArray(value)) return value.map((item: Value, index) => [index, item])
  const object = value as { readonly [name: string]: Value }
  return Object.keys(object)
    .sort()
    .map((key) => [key, object[key]!])
}
