import type { Snapshot } from '../snapshot.ts'
import { CopiedMap } from './copied-map.ts'

/** The members of the next snapshot that find the linked fragments of one kind. */
export interface KindIndex<L, M extends Partial<Snapshot> = Partial<Snapshot>> {
  add(linked: L): void
  remove(linked: L): void
  readonly isChanged: boolean
  members(): M
}

interface Identified {
  readonly id: string
}

/** Members of a snapshot that find something by its id. */
type ById = {
  [N in keyof Snapshot]: Snapshot[N] extends ReadonlyMap<string, Identified> ? N : never
}[keyof Snapshot]

type ValueOf<N extends ById> = Snapshot[N] extends ReadonlyMap<string, infer L> ? L : never

/** A map by id. @returns what starts with the map of the snapshot before; of the first snapshot there is none. */
export function byId<N extends ById>(
  name: N,
): (before: Partial<Snapshot>) => KindIndex<ValueOf<N>, Pick<Snapshot, N>> {
  function start(before: Partial<Snapshot>): KindIndex<Identified> {
    const map = new CopiedMap<Identified>(before[name])
    return {
      add: (linked) => map.set(linked.id, linked),
      remove: (linked) => map.delete(linked.id, linked),
      get isChanged() {
        return map.isChanged
      },
      members: () => ({ [name]: map.map }),
    }
  }
  // Only fragments of the type that the map holds are put in.
  return start as unknown as ReturnType<typeof byId<N>>
}
