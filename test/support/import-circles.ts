/** Which files each file imports. Every file has an entry. */
export type Imports = ReadonlyMap<string, readonly string[]>

/** Files that all reach each other by imports. */
interface Circle {
  readonly files: readonly string[]
  /** The shortest way from a file through at least two others and back to it, which it begins and ends with. */
  readonly shortest: readonly string[]
}

/** Circles of more than two files: strongly connected components of the imports (Tarjan, 1972). */
export function circlesIn(imports: Imports): readonly Circle[] {
  return components(imports)
    .filter((files) => files.length > 2)
    .map((files) => ({ files: files.toSorted(), shortest: shortestOf(imports, files) }))
}

function components(imports: Imports): string[][] {
  const found: string[][] = []
  const indexes = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []
  const onStack = new Set<string>()
  const lower = (file: string, index: number): void => {
    lowest.set(file, Math.min(lowest.get(file)!, index))
  }
  const visit = (file: string): void => {
    const index = indexes.size
    indexes.set(file, index)
    lowest.set(file, index)
    stack.push(file)
    onStack.add(file)
    for (const next of imports.get(file)!) {
      if (!indexes.has(next)) {
        visit(next)
        lower(file, lowest.get(next)!)
      } else if (onStack.has(next)) lower(file, indexes.get(next)!)
    }
    if (lowest.get(file) !== index) return
    const component = stack.splice(stack.indexOf(file))
    for (const member of component) onStack.delete(member)
    found.push(component)
  }
  for (const file of imports.keys()) if (!indexes.has(file)) visit(file)
  return found
}

function shortestOf(imports: Imports, files: readonly string[]): readonly string[] {
  const ways = files.flatMap((file) =>
    imports.get(file)!.flatMap((next) => {
      const back = wayBack(imports, next, file)
      return back === null ? [] : [[file, ...back]]
    }),
  )
  const [shortest] = ways.toSorted((a, b) => a.length - b.length)
  if (shortest !== undefined) return shortest
  // Pairs alone, of which some share a file
  const shared = files.find((file) => neighboursOf(imports, file).length > 1)!
  const [one, other] = neighboursOf(imports, shared)
  return [one!, shared, other!, shared, one!]
}

/** The shortest way by more than one import (breadth-first search); null without any. */
function wayBack(imports: Imports, from: string, to: string): readonly string[] | null {
  const seen = new Set([from])
  const ways: string[][] = [[from]]
  for (const way of ways)
    for (const next of imports.get(way.at(-1)!)!) {
      if (next === to && way.length > 1) return [...way, to]
      if (next === to || seen.has(next)) continue
      seen.add(next)
      ways.push([...way, next])
    }
  return null
}

/** Files that a file imports and that import it. */
function neighboursOf(imports: Imports, file: string): readonly string[] {
  return imports.get(file)!.filter((next) => imports.get(next)!.includes(file))
}
