interface Ranked {
  readonly label: string
  readonly hint: string
}

/** Those that have every word of the text, the best first: a label that begins with the text, then words that begin with it, then the rest. */
export function rank<T extends Ranked>(options: readonly T[], text: string): readonly T[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  if (words.length === 0) return options
  const whole = words.join(' ')
  return options
    .map((option) => ({
      option,
      score: scoreOf(`${option.label} ${option.hint}`.toLowerCase(), words, whole),
    }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ option }) => option)
}

function scoreOf(label: string, words: readonly string[], whole: string): number {
  if (!words.every((word) => label.includes(word))) return 0
  if (label.startsWith(whole)) return 3
  return words.every((word) => label.split(/[\s._]/).some((part) => part.startsWith(word))) ? 2 : 1
}
