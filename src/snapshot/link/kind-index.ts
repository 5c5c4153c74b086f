import type { Snapshot } from '../snapshot.ts'

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

/** A map that is copied at the first write. */
export class CopiedMap<V> {
  #map: ReadonlyMap<string, V>
  #own: Map<string, V> | null = null

  /** @param map undefined for an empty one */
  constructor(map: ReadonlyMap<string, V> | undefined) {
    this.#map = map ?? new Map()
  }

  get map(): ReadonlyMap<string, V> {
    return this.#own ?? this.#map
  }

  get isChanged(): boolean {
    return this.#own !== null
  }

  #writable(): Map<string, V> {
    this.#own ??= new Map(this.#map)
    return this.#own
  }

  set(key: string, value: V): void {
    this.#writable().set(key, value)
  }

  /** Deletes the entry if it is still this value. */
  delete(key: string, value: V): void {
    if (this.map.get(key) === value) this.#writable().delete(key)
  }
}
