import { printable, visibleJson } from '../../base/text/visible.ts'
import type { DiffEntry } from '../../operations/engine/write-options.ts'

/**
 * A difference for people, one line for each entry. Values are JSON, and names that could be read as another part of
 * the line are in quotes, so that two differences that differ never give the same line.
 */
export function diffLines(diff: readonly DiffEntry[]): string[] {
  return diff.map((entry) => {
    const { item, line, part } = entry
    const places = [
      ...(item === undefined ? [] : [nameOf(item)]),
      ...(line === undefined ? [] : [`line ${line}`]),
      ...(part === undefined ? [] : [`part ${printable(part)}`]),
    ]
    const path = entry.path === '' ? '(all of it)' : nameOf(entry.path)
    const place = places.length === 0 ? path : `${path} (${places.join(', ')})`
    if (entry.op === 'add') return `+ ${place}: ${show(entry.value)}`
    if (entry.op === 'remove') return `- ${place}: ${show(entry.from)}`
    return `~ ${place}: ${show(entry.from)} -> ${show(entry.value)}`
  })
}

/** True for a list of differences as answers hold it. */
export function isDiff(value: unknown): value is readonly DiffEntry[] {
  return Array.isArray(value) && value.length > 0 && value.every(isDifference)
}

function isDifference(entry: unknown): boolean {
  if (entry === null || typeof entry !== 'object' || !('op' in entry) || !('path' in entry)) return false
  return ['add', 'remove', 'replace'].includes(String(entry.op)) && typeof entry.path === 'string'
}

function show(value: unknown): string {
  return value === undefined ? '-' : visibleJson(JSON.stringify(value))
}

function nameOf(text: string): string {
  return /^[^\s"(),\\]+$/.test(text) ? printable(text) : visibleJson(JSON.stringify(text))
}
