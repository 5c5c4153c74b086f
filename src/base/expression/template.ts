/**
 * Values with expressions in them: the inputs of workflow nodes. `model/workflow/template.ts` reads them when they are saved; a gateway thread
 * links the result, which is plain JSON, and fills it in each run.
 */

import { jsonWithin } from '../json/canonical.ts'
import { type Evaluator, ExpressionFailure, type Program, toEvaluator } from './expression.ts'
import { type Ambient, SPENT, type StepBudget, stepsOfText } from './functions/evaluation.ts'

/** A value whose expressions have been read. */
export type Template =
  /** Without expressions. */
  | { readonly fixed: unknown }
  /** A text that is one expression: its value keeps its type. */
  | { readonly program: Program }
  /** Text around expressions. */
  | { readonly text: readonly (string | Program)[] }
  | { readonly list: readonly Template[] }
  | { readonly members: readonly (readonly [string, Template])[] }

export interface LinkedTemplate {
  /** Variables that its expressions read. */
  readonly reads: ReadonlySet<string>
  /** @throws ExpressionFailure where an expression has no value, or the text is too long */
  fill(values: Readonly<Record<string, unknown>>, ambient?: Ambient): unknown
}

type Fill = LinkedTemplate['fill']

/** Characters of a text that a template makes. */
const TEXT_CHARS_MAX = 1024 * 1024
const TOO_LONG = 'the text is longer than 1 MiB'

/**
 * Links a template.
 * @param variables Names that its expressions may read.
 * @throws RangeError for what is no template
 */
export function linkTemplate(template: Template, variables: readonly string[]): LinkedTemplate {
  const reads = new Set<string>()
  return { reads, fill: fillOf(template, variables, reads) }
}

function fillOf(template: Template, variables: readonly string[], reads: Set<string>): Fill {
  if ('fixed' in template) {
    const { fixed } = template
    return () => fixed
  }
  if ('program' in template) {
    const evaluator = evaluatorOf(template.program, variables, reads)
    return (values, ambient) => evaluator.value(values, ambient)
  }
  if ('text' in template) return textOf(template.text, variables, reads)
  if ('list' in template) {
    const items = template.list.map((item) => fillOf(item, variables, reads))
    return (values, ambient) => items.map((item) => item(values, ambient))
  }
  const members = template.members.map(([name, inner]) => [name, fillOf(inner, variables, reads)] as const)
  return (values, ambient) => Object.fromEntries(members.map(([name, fill]) => [name, fill(values, ambient)]))
}

function evaluatorOf(program: Program, variables: readonly string[], reads: Set<string>): Evaluator {
  const evaluator = toEvaluator(program, variables)
  for (const name of evaluator.reads) reads.add(name)
  return evaluator
}

function textOf(
  parts: readonly (string | Program)[],
  variables: readonly string[],
  reads: Set<string>,
): Fill {
  const pieces = parts.map((part) => (typeof part === 'string' ? part : evaluatorOf(part, variables, reads)))
  return (values, ambient) => {
    let text = ''
    for (const piece of pieces) {
      text += typeof piece === 'string' ? piece : asText(piece.value(values, ambient))
      if (text.length > TEXT_CHARS_MAX) throw new ExpressionFailure(TOO_LONG)
    }
    if (ambient?.budget !== undefined) pay(ambient.budget, text.length)
    return text
  }
}

/** @throws ExpressionFailure */
function pay(budget: StepBudget, chars: number): void {
  budget.steps -= stepsOfText(chars)
  if (budget.steps < 0) throw new ExpressionFailure(SPENT.reason)
}

/** Null is an empty text; objects and lists are JSON. @throws ExpressionFailure for what is too long */
function asText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (typeof value !== 'object') return String(value as number | boolean)
  const json = jsonWithin(value, TEXT_CHARS_MAX)
  if (json === null) throw new ExpressionFailure(TOO_LONG)
  return json
}
