/** Levenshtein distance: how many characters are added, left out or changed. Takes the product of both lengths in steps. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** Longer names are compared with none. */
const NAME_CHARS_MAX = 120
/** Names that one is compared with. */
const NAMES_MAX = 2000
/** Characters that may be wrong, and which part of the name. */
const WRONG_MAX = 4
const WRONG_PART = 0.5

/** The name that was most likely meant; null where none is near. Case does not count. Its steps are bounded, whatever is given. */
export function nearestName(wrong: string, known: readonly string[]): string | null {
  if (wrong.length > NAME_CHARS_MAX) return null
  let nearest: string | null = null
  let least = Math.min(WRONG_MAX, Math.max(1, Math.floor(wrong.length * WRONG_PART))) + 1
  for (const name of known.slice(0, NAMES_MAX)) {
    // Each character more or less is a step
    if (Math.abs(name.length - wrong.length) >= least) continue
    const steps = distance(wrong.toLowerCase(), name.toLowerCase())
    if (steps >= least) continue
    nearest = name
    least = steps
  }
  return nearest
}
