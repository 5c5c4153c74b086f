/**
 * Reads values with expressions in them: text between `{{` and `}}` is an expression in CEL (`model/workflow/expression.ts`) over the outputs of
 * nodes. `$.node` and `$json['node']` are other writings of the variable `node`.
 */
import type { Program } from '../../base/expression/expression.ts'
import type { Template } from '../../base/expression/template.ts'
import { isPlain, pointerTo } from '../../base/json/storable.ts'
import type { ExpressionReader } from './expression.ts'

/** An expression that cannot be read. */
export interface TemplateFault {
  /** JSON pointer below the value. */
  readonly pointer: string
  readonly reason: string
}

/** What opens and closes within an expression: literals have braces of their own. */
const TOKENS = /[rR]"[^"]*"|[rR]'[^']*'|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\}\}|[{}]/gs
/** Literals, which stay as they are, and the other writings of variables. */
const PARTS =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$(?:\.([A-Za-z_]\w*)|json\[\s*(?:'([^']*)'|"([^"]*)")\s*\])/g
const NAME = /^[A-Za-z_]\w*$/

const DEPTH_MAX = 32

/** Reads a value. The template leaves out what could not be read, and the faults say so. */
export function readTemplate(
  value: unknown,
  read: ExpressionReader,
  pointer: string = '',
  depth: number = 0,
): { readonly template: Template; readonly faults: readonly TemplateFault[] } {
  if (typeof value === 'string') return readText(value, read, pointer)
  if (depth > DEPTH_MAX)
    return {
      template: { fixed: null },
      faults: [{ pointer, reason: `is nested more than ${DEPTH_MAX} levels deep` }],
    }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => readTemplate(item, read, pointerTo(pointer, index), depth + 1))
    const faults = items.flatMap((item) => item.faults)
    if (items.every(({ template }) => 'fixed' in template)) return { template: { fixed: value }, faults }
    return { template: { list: items.map(({ template }) => template) }, faults }
  }
  if (!isPlain(value)) return { template: { fixed: value }, faults: [] }
  const members = Object.entries(value).map(
    ([name, item]) => [name, readTemplate(item, read, pointerTo(pointer, name), depth + 1)] as const,
  )
  const faults = members.flatMap(([, item]) => item.faults)
  if (members.every(([, { template }]) => 'fixed' in template)) return { template: { fixed: value }, faults }
  return { template: { members: members.map(([name, { template }]) => [name, template]) }, faults }
}

function readText(
  text: string,
  read: ExpressionReader,
  pointer: string,
): { readonly template: Template; readonly faults: readonly TemplateFault[] } {
  const faults: TemplateFault[] = []
  const parts: (string | Program)[] = []
  const add = (literal: string): void => {
    if (literal.includes('{{') || literal.includes('}}'))
      faults.push({ pointer, reason: 'the braces of an expression are not closed' })
    else if (literal !== '') parts.push(literal)
  }
  let end = 0
  for (let start = text.indexOf('{{'); start !== -1; start = text.indexOf('{{', end)) {
    const close = closeOf(text, start + 2)
    if (close === -1) break
    add(text.slice(end, start))
    end = close + 2
    const result = read(inCel(text.slice(start + 2, close).trim()))
    if ('program' in result) parts.push(result.program)
    else faults.push({ pointer, reason: `${result.reason}: ${text.slice(start, end)}` })
  }
  add(text.slice(end))
  if (faults.length > 0) return { template: { fixed: null }, faults }
  const [only] = parts
  if (parts.length === 1 && typeof only === 'object') return { template: { program: only }, faults }
  const isFixed = parts.every((part) => typeof part === 'string')
  return { template: isFixed ? { fixed: text } : { text: parts }, faults }
}

/** Where the braces close that an expression opened before `from`; -1 where they do not. Map literals have braces too. */
function closeOf(text: string, from: number): number {
  let depth = 0
  TOKENS.lastIndex = from
  for (let match = TOKENS.exec(text); match !== null; match = TOKENS.exec(text)) {
    const [token] = match
    if (token === '{') depth++
    else if (token === '}') depth--
    else if (token === '}}') {
      if (depth <= 0) return match.index
      // One of them closes a literal; the other is looked at again
      depth--
      TOKENS.lastIndex = match.index + 1
    }
  }
  return -1
}

/** An expression with its variables as CEL writes them. */
function inCel(text: string): string {
  return text.replaceAll(PARTS, (whole, ...[short, single, double]: (string | undefined)[]) => {
    const name = short ?? single ?? double
    return name !== undefined && NAME.test(name) ? name : whole
  })
}
