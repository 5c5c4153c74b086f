import { breathe } from './breathe.ts'

/** Read at a time at least: of many things a principal may see few. */
const STEP_MIN = 50

/**
 * The first `count` that pass, in the order in which they are read.
 * @param read gives at most `limit` of those that follow the one with the id `last`, or the first where there is none
 */
export async function firstThat<T extends { readonly id: string }>(
  count: number,
  read: (limit: number, last: string | undefined) => Promise<readonly T[]>,
  from: string | undefined,
  passes: (one: T) => boolean | Promise<boolean>,
): Promise<T[]> {
  const limit = Math.max(count, STEP_MIN)
  const found: T[] = []
  let last = from
  let looked = 0
  for (;;) {
    const step = await read(limit, last)
    for (const one of step) {
      // Each may be as large as a difference
      await breathe(++looked)
      if (await passes(one)) found.push(one)
      if (found.length === count) return found
    }
    if (step.length < limit) return found
    last = step.at(-1)!.id
  }
}
