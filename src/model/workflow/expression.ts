/**
 * Reads expressions of the Common Expression Language (CEL) when they are saved: syntax, types and bounds, with the place of the
 * first fault. `base/expression/expression.ts` evaluates the resulting program in any thread.
 *
 * The subset: literals, lists, variables, members, indexes, the operators, `?:`, `has`, the macros `all`, `exists`, `exists_one`,
 * `map` and `filter`, and the functions of `base/expression/expression.ts`. `matches` takes a literal of RE2. There are no byte and
 * unsigned literals and no `cel.bind`. Conditions have no map literals and no times. Expressions that give values have both, and
 * the functions of `base/expression/functions`.
 */
import { type ASTNode, Environment, type ObjectSchema } from '@marcbachmann/cel-js'
import { FUNCTIONS, MACROS, type Macro, type Program } from '../../base/expression/expression.ts'
import { BINARY_SIGNS, type BinarySign } from '../../base/expression/functions/operators.ts'
import { NAMESPACES, VALUE_FUNCTIONS } from '../../base/expression/functions/table.ts'
import { linearPattern } from '../../base/text/patterns.ts'

/** Characters of one expression. */
export const EXPRESSION_CHARS_MAX = 2048
const LIMITS = {
  maxAstNodes: 500,
  maxDepth: 32,
  maxListElements: 200,
  maxCallArguments: 4,
} as const
const MAP_ENTRIES_MAX = 200

/** Types of the variables by name: a type of CEL, or the members of an object. */
export type Variables = Readonly<Record<string, string | ObjectSchema>>

/** What is wrong with an expression. The place counts UTF-16 units; line and column start at 1. */
export interface ExpressionFault {
  readonly reason: string
  readonly offset: number
  readonly line: number
  readonly column: number
}

/** Reads expressions over the same variables. */
export type ExpressionReader = (text: string) => { readonly program: Program } | ExpressionFault

/** Also tells the type of the value, as CEL names it: `dyn` for one that is known at evaluation only. */
export type TypedReader = (
  text: string,
) => { readonly program: Program; readonly type: string } | ExpressionFault

/** A reader of conditions: expressions whose value is a truth value, or of a type that is known at evaluation only. */
export function conditionReader(variables: Variables): ExpressionReader {
  return readerOf(variables, conditionEnvironment, false, (type) =>
    type === 'bool' || type === 'dyn' ? null : `gives ${nameOfType(type)}; a condition gives true or false`,
  )
}

/** A reader of expressions that may have any value. */
export function valueReader(variables: Variables): ExpressionReader {
  return typedReader(variables)
}

/** The same, with the types of values. Those of {@link Variables} with members have names that start with `$`. */
export function typedReader(variables: Variables): TypedReader {
  return readerOf(variables, valueEnvironment, true, () => null)
}

/**
 * @param isValue false for conditions, which have fewer functions
 * @param typeFault what is wrong with the type of a whole expression; null where nothing is
 */
function readerOf(
  variables: Variables,
  environmentOf: (variables: Variables) => Environment,
  isValue: boolean,
  typeFault: (type: string | undefined) => string | null,
): TypedReader {
  let environment: Environment | null = null
  return (text) => {
    if (text.length > EXPRESSION_CHARS_MAX)
      return faultAt(text, EXPRESSION_CHARS_MAX, `has more than ${EXPRESSION_CHARS_MAX} characters`)
    environment ??= environmentOf(variables)
    try {
      const parsed = environment.parse(text)
      const checked = parsed.check()
      if (checked.error !== undefined) throw checked.error
      const fault = typeFault(checked.type)
      if (fault !== null) return faultAt(text, 0, fault)
      const program = programOf(parsed.ast, { names: Object.keys(variables), isValue })
      return { program, type: checked.type ?? 'dyn' }
    } catch (error) {
      if (error instanceof Unavailable) return faultAt(text, error.offset, error.message)
      const { summary, range } = error as { readonly summary?: string; readonly range?: { start: number } }
      // Anything but an error of the language, such as a stack that is full, is a fault of the expression as well
      return faultAt(text, range?.start ?? 0, summary ?? 'cannot be read')
    }
  }
}

function conditionEnvironment(variables: Variables): Environment {
  return withVariables(
    new Environment({ limits: { ...LIMITS, maxMapEntries: 0 }, homogeneousAggregateLiterals: false }),
    variables,
  )
}

/** Knows the types of all functions. They are never called: `base/expression/expression.ts` evaluates. */
let valueParent: Environment | null = null

function valueEnvironment(variables: Variables): Environment {
  const hidden = NAMESPACES.filter((name) => Object.hasOwn(variables, name))
  const nameable = Object.fromEntries(Object.entries(variables).filter(([name]) => isNameable(name)))
  if (hidden.length > 0) return withVariables(withFunctions(hidden), nameable)
  valueParent ??= withFunctions([])
  return withVariables(valueParent.clone(), nameable)
}

/** False for a word of the language, which no variable can have as its name. */
export function isNameable(name: string): boolean {
  try {
    new Environment().registerVariable(name, 'dyn')
    return true
  } catch {
    return false
  }
}

/** @param hidden namespaces without functions: variables have their names */
function withFunctions(hidden: readonly string[]): Environment {
  const environment = new Environment({
    limits: { ...LIMITS, maxMapEntries: MAP_ENTRIES_MAX },
    homogeneousAggregateLiterals: false,
  })
  const typeOf = (namespace: string): string => `${namespace}Functions`
  for (const namespace of NAMESPACES) {
    if (hidden.includes(namespace)) continue
    class Namespace {}
    environment.registerType(typeOf(namespace), Namespace)
    environment.registerConstant(namespace, typeOf(namespace), new Namespace())
  }
  for (const [name, { signatures }] of Object.entries(VALUE_FUNCTIONS)) {
    const [namespace, isMember] = [name.split('.')[0]!, name.includes('.')]
    if (isMember && hidden.includes(namespace)) continue
    for (const signature of signatures)
      environment.registerFunction(
        isMember ? signature.replace(`${namespace}.`, `${typeOf(namespace)}.`) : signature,
        () => null,
      )
  }
  for (const type of ['Timestamp', 'Duration'])
    environment.registerFunction(`string(google.protobuf.${type}): string`, () => null)
  environment.registerFunction('int(google.protobuf.Timestamp): int', () => null)
  // Numbers of both kinds mix
  for (const sign of ['+', '-', '*', '/'])
    for (const [left, right] of [
      ['int', 'double'],
      ['double', 'int'],
    ])
      environment.registerOperator(`${left} ${sign} ${right}: double`, () => null)
  return environment
}

function withVariables(environment: Environment, variables: Variables): Environment {
  for (const [name, type] of Object.entries(variables))
    if (typeof type === 'string') environment.registerVariable(name, type)
    else environment.registerVariable(name, { schema: type })
  return environment
}

/** Objects of {@link Variables} have types whose names start with `$`. */
function nameOfType(type: string | undefined): string {
  return type === undefined || type.startsWith('$') ? 'an object' : type
}

function faultAt(text: string, offset: number, reason: string): ExpressionFault {
  const before = text.slice(0, offset).split('\n')
  return { reason, offset, line: before.length, column: before[before.length - 1]!.length + 1 }
}

/** Correct CEL that has no place in the subset. */
class Unavailable extends Error {
  readonly offset: number
  constructor(reason: string, { start }: { readonly start: number }) {
    super(reason)
    this.offset = start
  }
}

interface Reading {
  readonly names: readonly string[]
  readonly isValue: boolean
}

function programOf(node: ASTNode, reading: Reading): Program {
  const read = (inner: ASTNode): Program => programOf(inner, reading)
  switch (node.op) {
    case 'value':
      return literal(node)
    case 'id':
      if (!reading.names.includes(node.args)) throw new Unavailable(`there is no variable ${node.args}`, node)
      return { op: 'name', name: node.args }
    case '.':
      return { op: 'member', of: read(node.args[0]), key: node.args[1] }
    case '[]':
      return { op: 'index', of: read(node.args[0]), at: read(node.args[1]) }
    case 'list':
      return { op: 'list', items: node.args.map(read) }
    case 'map':
      if (!reading.isValue) throw new Unavailable('map literals are not available', node)
      return { op: 'map', members: node.args.map(([name, value]) => [read(name), read(value)] as const) }
    case '?:': {
      const [when, yes, no] = node.args
      return { op: 'choose', when: read(when), yes: read(yes), no: read(no) }
    }
    case '||':
    case '&&':
      return {
        op: node.op === '||' ? 'or' : 'and',
        left: read(node.args[0]),
        right: read(node.args[1]),
      }
    case '!_':
    case '-_':
      return { op: node.op === '!_' ? 'not' : 'minus', of: read(node.args) }
    case 'call':
      return callOf(node, node.args[0], node.args[1], reading)
    case 'rcall': {
      const [name, receiver, given] = node.args
      if (MACROS.includes(name as Macro)) return eachOf(node, name as Macro, receiver, given, reading)
      const namespace = receiver.op === 'id' ? receiver.args : ''
      if (!reading.isValue || !NAMESPACES.includes(namespace))
        return callOf(node, name, [receiver, ...given], reading)
      if (reading.names.includes(namespace))
        throw new Unavailable(
          `${namespace} has another meaning here, which hides the functions ${namespace}.*; rename it`,
          node,
        )
      return callOf(node, `${namespace}.${name}`, given, reading)
    }
    default:
      if (!BINARY_SIGNS.includes(node.op as BinarySign))
        throw new Unavailable(`${node.op} is not available`, node)
      return binaryOf(node, read)
  }
}

function binaryOf(node: ASTNode, read: (inner: ASTNode) => Program): Program {
  // The operators of BINARY_SIGNS have two operands
  const [left, right] = node.args as unknown as readonly [ASTNode, ASTNode]
  return { op: 'binary', sign: node.op as BinarySign, left: read(left), right: read(right) }
}

function literal(node: ASTNode & { readonly op: 'value' }): Program {
  const { args: value } = node
  if (typeof value === 'bigint') {
    if (BigInt.asIntN(64, value) !== value) throw new Unavailable('an integer has 64 bits', node)
    return { op: 'int', digits: String(value) }
  }
  if (value === null || typeof value !== 'object') return { op: 'value', value }
  throw new Unavailable('byte and unsigned literals are not available', node)
}

function callOf(node: ASTNode, name: string, given: readonly ASTNode[], reading: Reading): Program {
  const [first, second] = given
  if (name === 'has' && first?.op === '.')
    return { op: 'has', of: programOf(first.args[0], reading), key: first.args[1] }
  const isExtra =
    reading.isValue &&
    Object.hasOwn(VALUE_FUNCTIONS, name) &&
    VALUE_FUNCTIONS[name]!.takes.includes(given.length)
  if (!isExtra && (!Object.hasOwn(FUNCTIONS, name) || FUNCTIONS[name] !== given.length))
    throw new Unavailable(`the function ${name} is not available`, node)
  if (name === 'matches') {
    if (second?.op !== 'value' || typeof second.args !== 'string')
      throw new Unavailable('matches takes a literal', second ?? node)
    if (linearPattern(second.args) === null)
      throw new Unavailable('no regular expression, or one with look-around or back references', second)
  }
  return { op: 'call', name, given: given.map((one) => programOf(one, reading)) }
}

function eachOf(
  node: ASTNode,
  macro: Macro,
  receiver: ASTNode,
  given: readonly ASTNode[],
  { names, isValue }: Reading,
): Program {
  const [variable, body] = given
  if (given.length !== 2 || variable?.op !== 'id')
    throw new Unavailable(`${macro} takes a name and an expression`, node)
  const name = variable.args
  if (names.includes(name) || (isValue && NAMESPACES.includes(name)))
    throw new Unavailable(`${name} is taken; choose another name`, variable)
  return {
    op: 'each',
    macro,
    over: programOf(receiver, { names, isValue }),
    name,
    body: programOf(body!, { names: [...names, name], isValue }),
  }
}
