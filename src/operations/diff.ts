import { canonicalJson } from '../base/canonical.ts'
import { isPlain } from '../base/plain.ts'
import { pointerTo } from '../base/pointer.ts'
import type { DiffEntry } from './define.ts'

/** Characters of one value in a diff; longer ones are named by their length, since entries are read by people. */
const VALUE_CHARS_MAX = 8192

/** JSON patch (RFC 6902) with the old values. Arrays are compared as a whole. */
export function diffOf(before: unknown, after: unknown, path: readonly string[] = []): DiffEntry[] {
  if (before === after) return []
  if (before === undefined) return [{ op: 'add', path: pointerTo('', ...path), value: bounded(after) }]
  if (after === undefined) return [{ op: 'remove', path: pointerTo('', ...path), from: bounded(before) }]
  if (isPlain(before) && isPlain(after))
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) =>
      diffOf(before[name], after[name], [...path, name]),
    )
  if (canonicalJson(before) === canonicalJson(after)) return []
  return [{ op: 'replace', path: pointerTo('', ...path), from: bounded(before), value: bounded(after) }]
}

function bounded(value: unknown): unknown {
  const text = JSON.stringify(value)
  return text.length <= VALUE_CHARS_MAX ? value : `${text.length} characters of JSON`
}

/** Characters of all values of one diff, and its entries: one import changes thousands of things. */
const DIFF_CHARS_MAX = 256 * 1024
const DIFF_ENTRIES_MAX = 2000

/** The diff of a whole change: every path in it, and values as long as there is room. */
export function boundedDiff(entries: readonly DiffEntry[]): readonly DiffEntry[] {
  let left = DIFF_CHARS_MAX
  const kept = entries.slice(0, DIFF_ENTRIES_MAX).map((entry) => {
    const chars = JSON.stringify([entry.from, entry.value]).length
    left -= chars
    if (left >= 0) return entry
    left += chars
    const named = `${chars} characters of JSON`
    return {
      op: entry.op,
      path: entry.path,
      ...(entry.from === undefined ? {} : { from: named }),
      ...(entry.value === undefined ? {} : { value: named }),
    }
  })
  const more = entries.length - kept.length
  return more === 0 ? kept : [...kept, { op: 'replace', path: '', value: `${more} more changes` }]
}
