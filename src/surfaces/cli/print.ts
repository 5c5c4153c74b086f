import { styleText } from 'node:util'
import { CannotStart } from '../../base/refusal.ts'
import { printable } from '../../base/text/visible.ts'
import type { ChangeRequest } from '../../model/access/approval.ts'
import type { Operation } from '../../operations/engine/define.ts'
import { DIFF_COLUMNS, type DiffEntry } from '../../operations/engine/write-options.ts'
import { type ProblemBody, ProblemError } from '../client/send.ts'
import type { Format } from './common-flags.ts'
import { EXIT, exitCodeOf } from './exit.ts'
import type { Printer } from './ports.ts'
import { toJsonText, toYamlText } from './structured-text.ts'
import { diffLines, isDiff, toSheet, toTable } from './table.ts'

/** Prints what an operation answered. Hints go to the other stream, so that a pipe gets data alone. */
export function printAnswer(
  ports: Printer,
  format: Format,
  body: Readonly<Record<string, unknown>>,
  columns: readonly string[],
  { parts = {}, tables = {} }: Pick<Operation, 'parts' | 'tables'> = {},
): void {
  if (printData(ports, format, body)) return
  const items = body['items']
  if (!Array.isArray(items) || Object.hasOwn(tables, 'items')) {
    const { warnings, ...rest } = body
    ports.out(toSheet(rest, hasColour(ports), parts, tables))
    for (const line of warningLines(warnings)) ports.err(`warning: ${line}\n`)
    for (const line of coverageLines(body)) ports.err(`${line}\n`)
    return
  }
  // Cells of a table are cut, and a difference is to be seen whole
  if (columns === DIFF_COLUMNS) ports.out(`${diffLines(items as DiffEntry[]).join('\n')}\n`)
  else if (columns.at(-1) === 'diff') {
    const shown = columns.slice(0, -1)
    ports.out(toTable(items, shown, hasColour(ports)) + differencesBelow(items, shown))
  } else ports.out(toTable(items, columns, hasColour(ports)))
  for (const line of warningLines(body['warnings'])) ports.err(`warning: ${line}\n`)
  for (const line of coverageLines(body)) ports.err(`${line}\n`)
  if (typeof body['next_cursor'] === 'string')
    ports.err(`There are more items: add --cursor ${printable(body['next_cursor'])}\n`)
}

/** The differences of the items of a list, each below the first cells of its item. */
function differencesBelow(items: readonly Record<string, unknown>[], columns: readonly string[]): string {
  return items
    .filter(({ diff }) => isDiff(diff))
    .map((item) => {
      const name = columns.slice(0, 3).map((column) => printable(String(item[column])))
      return `\n${name.join(' ')}\n${diffLines(item['diff'] as DiffEntry[])
        .map((line) => `  ${line}\n`)
        .join('')}`
    })
    .join('')
}

/** What an answer with figures leaves out. */
function coverageLines(body: Readonly<Record<string, unknown>>): string[] {
  const { items, endpoints, truncated, from, complete_from: completeFrom } = body
  const shown = Array.isArray(items) ? items.length : 0
  const rest =
    typeof endpoints === 'number' && endpoints > shown
      ? [`${shown} of the ${endpoints} endpoints that were called are shown.`]
      : []
  if (truncated !== true) return rest
  const how = 'Ask for a shorter time, or narrow the filters.'
  return typeof completeFrom === 'string' && completeFrom !== from
    ? [
        `Not everything is counted: the figures are complete from ${printable(completeFrom)} on. ${how}`,
        ...rest,
      ]
    : [`Not everything is counted or shown. ${how}`, ...rest]
}

/** The `warnings` of an answer, one line each. */
export function warningLines(warnings: unknown): string[] {
  if (!Array.isArray(warnings)) return []
  // Every `warnings` of an output schema holds texts, or objects with these members.
  return (warnings as (string | Record<string, unknown>)[]).map((warning) => {
    if (typeof warning === 'string') return printable(warning)
    const { pointer, reason } = warning
    return printable(pointer === '' ? String(reason) : `${String(pointer)}: ${String(reason)}`)
  })
}

/** Prints the difference that a dry run answered. */
export function printDiff(
  ports: Printer,
  format: Format,
  diff: readonly DiffEntry[],
  result: unknown,
  approvalNeeded: readonly string[],
): void {
  const needed = approvalNeeded.length === 0 ? {} : { approval_needed: approvalNeeded }
  if (printData(ports, format, { dry_run: true, ...needed, diff, result })) return
  const lines = diffLines(diff)
  ports.out(`${lines.length === 0 ? 'Nothing would change.' : lines.join('\n')}\n`)
  printDryRun(ports, approvalNeeded)
}

/** Says that nothing was stored, and whose approval the write itself would need. */
export function printDryRun(ports: Printer, approvalNeeded: readonly string[]): void {
  ports.err('Dry run: nothing was stored.\n')
  if (approvalNeeded.length > 0)
    ports.err(
      `Without the dry run, this change waits for approval by ${printable(approvalNeeded.join(', '))}.\n`,
    )
}

/** Prints that a write waits for another person, and how it can go on; gives the exit code of that. */
export function printWaiting(
  ports: Printer,
  format: Format,
  body: Readonly<Record<string, unknown>>,
): number {
  if (printData(ports, format, body)) return EXIT.ok
  // As every 202 has it
  const request = body['change_request'] as ChangeRequest
  const [id, state] = [printable(request.id), printable(request.state)]
  if (body['waits_for_approval'] !== true) {
    ports.out(`The change request ${id} is ${state}.\n`)
    return EXIT.ok
  }
  ports.out(`Waiting for approval: ${id}\n`)
  ports.err(`${diffLines(request.diff).join('\n')}\n`)
  const more = request.diff_entries - request.diff.length
  if (more > 0) ports.err(`... and ${more} more: postern change-requests diff ${id}\n`)
  const rules = printable(request.rules.join(', '))
  const waiting = `Waiting for approval by ${request.rules.length === 1 ? 'rule' : 'rules'} ${rules}.`
  ports.err(`${waiting} Another person approves it with: postern change-requests approve ${id}\n`)
  if (request.repeats) ports.err('After approval, run this command again.\n')
  return EXIT.ok
}

/** Prints the value as JSON or YAML when that is asked for; false when it is for people. */
export function printData(ports: Printer, format: Format, value: unknown): boolean {
  if (format === 'table') return false
  ports.out(toData(format, value))
  return true
}

/** Prints a failure and gives the exit code of it. */
export function printFailure(ports: Printer, format: Format, error: unknown): number {
  if (error instanceof ProblemError) {
    ports.err(format === 'table' ? toText(ports, error.problem) : toData(format, error.problem))
    return exitCodeOf(error.problem)
  }
  const isUsage = error instanceof Error && error.name === 'UsageError'
  const message = error instanceof Error ? error.message : String(error)
  // Its lines are our own, such as one for each fault of a file
  const lines = error instanceof CannotStart ? message.split('\n') : [message]
  ports.err(
    format === 'table'
      ? `${red(ports, 'error:')} ${lines.map(printable).join('\n')}\n`
      : toData(format, { code: isUsage ? 'usage' : 'error', detail: message }),
  )
  return isUsage ? EXIT.usage : EXIT.error
}

function toData(format: 'json' | 'yaml', value: unknown): string {
  return format === 'json' ? toJsonText(value) : toYamlText(value)
}

function toText(ports: Printer, problem: ProblemBody): string {
  const detail = problem.detail === problem.title ? '' : ` ${problem.detail}`
  // Most details are the first error as a sentence; once is enough
  const errors = problem.errors
    .map(({ pointer, reason }) => (pointer === '' ? reason : `${pointer}: ${reason}`))
    .filter((line) => !problem.detail.includes(line))
    .map((line) => `  ${printable(line)}\n`)
  const request = problem.request_id === null ? '' : `  request ${printable(problem.request_id)}\n`
  const head = `${red(ports, 'error:')} ${printable(`${problem.title} (${problem.code}).${detail}`)}\n`
  return head + errors.join('') + request
}

/** True where colours are wanted: on a terminal without `NO_COLOR`. */
export function hasColour(ports: Printer): boolean {
  return ports.colour && (ports.env['NO_COLOR'] ?? '') === ''
}

function red(ports: Printer, text: string): string {
  return hasColour(ports) ? styleText('red', text, { validateStream: false }) : text
}

/** Passes on how far each step is, in quarters, so that a log of it stays short. @param tell given whole percents */
export function quarters(
  tell: (step: string, percent: number) => void,
): (step: string, part: number) => void {
  const shown = new Map<string, number>()
  return (step, part) => {
    const quarter = Math.floor(part * 4)
    if (quarter === (shown.get(step) ?? 0) || quarter === 0) return
    shown.set(step, quarter)
    tell(step, quarter * 25)
  }
}
