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
