/**
 * Reads expressions of the Common Expression Language (CEL) when they are saved: syntax, types and bounds, with the place of the
 * first fault. `base/expression.ts` evaluates the resulting program in any thread.
 *
 * The subset: literals, lists, variables, members, indexes, the operators, `?:`, `has`, the macros `all`, `exists`, `exists_one`,
 * `map` and `filter`, and the functions of `base/expression.ts`. `matches` takes a literal of RE2. There are no map, byte and
 * unsigned literals, no times and no `cel.bind`.
 */
import { type ASTNode, Environment, type ObjectSchema } from '@marcbachmann/cel-js'
import {
  BINARY_SIGNS,
  type BinarySign,
  FUNCTIONS,
  MACROS,
  type Macro,
  type Program,
} from '../base/expression.ts'
import { linearPattern } from '../base/linear-pattern.ts'

/** Characters of one expression. */
export const EXPRESSION_CHARS_MAX = 2048
const LIMITS = {
  maxAstNodes: 500,
  maxDepth: 32,
  maxListElements: 200,
  maxMapEntries: 0,
  maxCallArguments: 4,
} as const

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

/** A reader of conditions: expressions whose value is a truth value, or of a type that is known at evaluation only. */
export function conditionReader(variables: Variables): ExpressionReader {
  let environment: Environment | null = null
  return (text) => {
    if (text.length > EXPRESSION_CHARS_MAX)
      return faultAt(text, EXPRESSION_CHARS_MAX, `has more than ${EXPRESSION_CHARS_MAX} characters`)
    environment ??= environmentOf(variables)
    try {
      const parsed = environment.parse(text)
      const checked = parsed.check()
      if (checked.error !== undefined) throw checked.error
      if (checked.type !== 'bool' && checked.type !== 'dyn')
        return faultAt(text, 0, `gives ${nameOfType(checked.type)}; a condition gives true or false`)
      return { program: programOf(parsed.ast, Object.keys(variables)) }
    } catch (error) {
      if (error instanceof Unavailable) return faultAt(text, error.offset, error.message)
      const { summary, range } = error as { readonly summary?: string; readonly range?: { start: number } }
      // Anything but an error of the language, such as a stack that is full, is a fault of the expression as well
      return faultAt(text, range?.start ?? 0, summary ?? 'cannot be read')
    }
  }
}

function environmentOf(variables: Variables): Environment {
  const environment = new Environment({ limits: LIMITS, homogeneousAggregateLiterals: false })
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

function programOf(node: ASTNode, names: readonly string[]): Program {
  const read = (inner: ASTNode): Program => programOf(inner, names)
  switch (node.op) {
    case 'value':
      return literal(node)
    case 'id':
      if (!names.includes(node.args)) throw new Unavailable(`there is no variable ${node.args}`, node)
      return { op: 'name', name: node.args }
    case '.':
      return { op: 'member', of: read(node.args[0]), key: node.args[1] }
    case '[]':
      return { op: 'index', of: read(node.args[0]), at: read(node.args[1]) }
    case 'list':
      return { op: 'list', items: node.args.map(read) }
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
      return callOf(node, node.args[0], node.args[1], names)
    case 'rcall': {
      const [name, receiver, given] = node.args
      if (MACROS.includes(name as Macro)) return eachOf(node, name as Macro, receiver, given, names)
      return callOf(node, name, [receiver, ...given], names)
    }
    default:
      if (!BINARY_SIGNS.includes(node.op as BinarySign))
        throw new Unavailable(
          node.op === 'map' ? 'map literals are not available' : `${node.op} is not available`,
          node,
        )
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

function callOf(node: ASTNode, name: string, given: readonly ASTNode[], names: readonly string[]): Program {
  const [first, second] = given
  if (name === 'has' && first?.op === '.')
    return { op: 'has', of: programOf(first.args[0], names), key: first.args[1] }
  if (!Object.hasOwn(FUNCTIONS, name) || FUNCTIONS[name] !== given.length)
    throw new Unavailable(`the function ${name} is not available`, node)
  if (name === 'matches') {
    if (second?.op !== 'value' || typeof second.args !== 'string')
      throw new Unavailable('matches takes a literal', second ?? node)
    if (linearPattern(second.args) === null)
      throw new Unavailable('no regular expression, or one with look-around or back references', second)
  }
  return { op: 'call', name, given: given.map((one) => programOf(one, names)) }
}

function eachOf(
  node: ASTNode,
  macro: Macro,
  receiver: ASTNode,
  given: readonly ASTNode[],
  names: readonly string[],
): Program {
  const [variable, body] = given
  if (given.length !== 2 || variable?.op !== 'id')
    throw new Unavailable(`${macro} takes a name and an expression`, node)
  const name = variable.args
  if (names.includes(name)) throw new Unavailable(`${name} is taken; choose another name`, variable)
  return {
    op: 'each',
    macro,
    over: programOf(receiver, names),
    name,
    body: programOf(body!, [...names, name]),
  }
}
