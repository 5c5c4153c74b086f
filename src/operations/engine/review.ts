/**
 * The diff of a change request contains every value whole, in several pieces where it is long. A change that is too
 * large for this is refused.
 */
import { isPlain, pointerTo } from '../../base/json/storable.ts'
import { type Refusal, refuse } from '../../base/refusal.ts'
import type { DiffEntry } from './write-options.ts'

/** Characters of JSON of the values of one entry; a larger difference is shown in several entries. */
const ENTRY_CHARS_MAX = 4096
/** Characters of a text in one entry. */
const TEXT_CHARS_MAX = 2048
/** What an approver can be shown of one change. */
const REVIEW_CHARS_MAX = 512 * 1024
const REVIEW_ENTRIES_MAX = 4000

/** A change as an approver is shown it. */
export interface Review {
  readonly diff: readonly DiffEntry[]
  /** False where the change is larger than {@link REVIEW_CHARS_MAX} or {@link REVIEW_ENTRIES_MAX}; the diff is then cut. */
  readonly isWhole: boolean
}

/**
 * All differences, every value whole: objects and lists member by member, texts by line. No value is named by its length.
 * @param entries with whole values
 */
export function reviewOf(entries: readonly DiffEntry[]): Review {
  const diff: DiffEntry[] = []
  let chars = 0
  for (const entry of entries)
    for (const piece of piecesOf(entry)) {
      chars += JSON.stringify(piece).length
      if (chars > REVIEW_CHARS_MAX || diff.length >= REVIEW_ENTRIES_MAX) return { diff, isWhole: false }
      diff.push(piece)
    }
  return { diff, isWhole: true }
}

/** The refusal of a change that nobody could approve, since it cannot be shown whole. */
export function tooLargeToReview(): Refusal {
  return refuse('change_too_large', {
    detail: `The change is larger than an approver can be shown: ${REVIEW_ENTRIES_MAX} differences, or ${REVIEW_CHARS_MAX} characters of JSON. Split it into several smaller changes.`,
  })
}

/** True for a diff that was stored before every value was kept whole, and has lengths in the place of values. */
export function holdsLengths(diff: readonly DiffEntry[]): boolean {
  return diff.some(({ from, value }) =>
    [from, value].some((one) => typeof one === 'string' && LENGTH.test(one)),
  )
}

const LENGTH = /^\d+ (characters of JSON|more changes)$/

function* piecesOf(entry: DiffEntry): Generator<DiffEntry> {
  const { op, from, value } = entry
  if (JSON.stringify([from, value]).length <= ENTRY_CHARS_MAX) yield entry
  else if (op === 'replace' && typeof from === 'string' && typeof value === 'string')
    yield* hunksOf(entry, from, value)
  else {
    const { from: _, value: __, ...place } = entry
    // A value that is replaced is shown as gone, then as new
    if (from !== undefined) yield* partsOf({ ...place, op: 'remove' }, from)
    if (value !== undefined) yield* partsOf({ ...place, op: 'add' }, value)
  }
}

type Place = Pick<DiffEntry, 'path' | 'item' | 'line'> & { readonly op: 'add' | 'remove' }

const entryOf = (place: Place, value: unknown): DiffEntry =>
  place.op === 'add' ? { ...place, value } : { ...place, from: value }

/** One value: whole where it is small, else its members, or its text in parts. */
function* partsOf(place: Place, value: unknown): Generator<DiffEntry> {
  if (typeof value === 'string' && value.length > TEXT_CHARS_MAX) yield* textParts(place, value)
  else if (value === null || typeof value !== 'object' || JSON.stringify(value).length <= ENTRY_CHARS_MAX)
    yield entryOf(place, value)
  else {
    const isList = Array.isArray(value)
    const members = Object.entries(value).filter(([, inner]) => inner !== undefined)
    if (isList || isPlain(value)) yield entryOf(place, isList ? [] : {})
    for (const [name, inner] of members)
      yield* partsOf({ ...place, path: pointerTo(place.path, name) }, inner)
  }
}

function* textParts(place: Place, text: string): Generator<DiffEntry> {
  const parts: string[] = []
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + TEXT_CHARS_MAX, text.length)
    // Both halves of a character stay together
    if (end < text.length && (text.charCodeAt(end) & 0xfc00) === 0xdc00) end--
    parts.push(text.slice(at, end))
    at = end
  }
  for (const [index, part] of parts.entries())
    yield { ...entryOf(place, part), ...(parts.length === 1 ? {} : { part: `${index + 1}/${parts.length}` }) }
}

/** Lines of both texts up to which they are aligned one by one. */
const ALIGNED_MAX = 1_000_000

/** The lines that differ, as entries with the number of the line at which they stand. */
function* hunksOf(entry: DiffEntry, from: string, value: string): Generator<DiffEntry> {
  const [was, is] = [from.split('\n'), value.split('\n')]
  let start = 0
  while (start < Math.min(was.length, is.length) && was[start] === is[start]) start++
  let tail = 0
  while (tail < Math.min(was.length, is.length) - start && was.at(-1 - tail) === is.at(-1 - tail)) tail++
  const [old, now] = [was.slice(start, was.length - tail), is.slice(start, is.length - tail)]
  for (const { at, to, removed, added } of hunks(old, now)) {
    const line = start + (added.length === 0 ? at : to) + 1
    const { from: _, value: __, ...place } = entry
    const [gone, come] = [removed.join('\n'), added.join('\n')]
    if (removed.length > 0 && added.length > 0 && gone.length + come.length <= ENTRY_CHARS_MAX)
      yield { ...place, line, from: gone, value: come }
    else {
      if (removed.length > 0) yield* textParts({ ...place, op: 'remove', line: start + at + 1 }, gone)
      if (added.length > 0) yield* textParts({ ...place, op: 'add', line: start + to + 1 }, come)
    }
  }
}

interface Hunk {
  /** Index of its first line in the old lines, and in the new ones. */
  at: number
  to: number
  readonly removed: string[]
  readonly added: string[]
}

/** Runs of lines that differ, by the longest common subsequence; all of it as one run where that takes too long. */
function hunks(old: readonly string[], now: readonly string[]): readonly Hunk[] {
  if (old.length * now.length > ALIGNED_MAX) return [{ at: 0, to: 0, removed: [...old], added: [...now] }]
  const width = now.length + 1
  const common = new Uint32Array((old.length + 1) * width)
  for (let i = old.length - 1; i >= 0; i--)
    for (let j = now.length - 1; j >= 0; j--)
      common[i * width + j] =
        old[i] === now[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!)
  const found: Hunk[] = []
  let open: Hunk | null = null
  for (let i = 0, j = 0; i < old.length || j < now.length; ) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      open = null
      i++
      j++
      continue
    }
    if (open === null) {
      open = { at: i, to: j, removed: [], added: [] }
      found.push(open)
    }
    const isGone =
      j === now.length || (i < old.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    if (isGone) open.removed.push(old[i++]!)
    else open.added.push(now[j++]!)
  }
  return found
}
