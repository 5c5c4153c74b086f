/** Two revisions that are compared, as the address has them. */
export interface Pair {
  readonly from: string | undefined
  readonly to: string | undefined
}

/** The pair with another side. The server compares an earlier revision with a later one, so the sides change places if need be. */
export function chosenPair(pair: Pair, side: 'from' | 'to', revision: number): Pair {
  const next = { ...pair, [side]: String(revision) }
  const { from, to } = next
  return from !== undefined && to !== undefined && Number(from) > Number(to) ? { from: to, to: from } : next
}
