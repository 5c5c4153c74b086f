/** A map that holds at most `max` entries and forgets the one unused for longest. */
export class Lru<K, V> {
  readonly #max: number
  readonly #entries = new Map<K, V>()
  /** The last key of the map, or undefined where that is not known: most uses are of the key that was used before. */
  #newest: K | undefined = undefined

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#entries.size
  }

  /** The value, now the most recently used, or undefined. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value === undefined || key === this.#newest) return value
    this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#newest = key
    return value
  }

  set(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#newest = key
    if (this.#entries.size > this.#max) this.#entries.delete(this.#entries.keys().next().value!)
  }

  delete(key: K): void {
    this.#entries.delete(key)
    this.#newest = undefined
  }

  clear(): void {
    this.#entries.clear()
    this.#newest = undefined
  }
}

interface Entry<V> {
  readonly holder: string
  readonly value: V
  readonly size: number
}

interface Holder {
  /** The one unused for longest comes first. */
  readonly keys: Set<string>
  size: number
}

/**
 * A map of bounded size that holders share: one holder has at most as much as then remains free (dynamic thresholds, Choudhury and Hahne
 * 1998). For an entry beyond that, it is the holder's own entry unused for longest that is forgotten.
 */
export class SharedLru<V> {
  readonly #sizeMax: number
  readonly #forgotten: (key: string) => void
  readonly #entries = new Map<string, Entry<V>>()
  readonly #holders = new Map<string, Holder>()
  #size = 0

  /** @param sizeMax of all entries together. @param forgotten told of each entry that made room for another one */
  constructor(sizeMax: number, forgotten: (key: string) => void = () => {}) {
    this.#sizeMax = sizeMax
    this.#forgotten = forgotten
  }

  /** The value, now the most recently used of its holder, or undefined. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const { keys } = this.#holders.get(entry.holder)!
    keys.delete(key)
    keys.add(key)
    return entry.value
  }

  /** False, with all as it was, where the entry is larger than what its holder could have. A key has one holder for its life. */
  set(holder: string, key: string, value: V, size: number): boolean {
    const own = this.#holders.get(holder) ?? { keys: new Set(), size: 0 }
    if (!this.#fits(size, this.#size - own.size)) return false
    this.delete(key)
    for (const other of [...own.keys]) {
      if (this.#fits(own.size + size, this.#size - own.size)) break
      this.delete(other)
      this.#forgotten(other)
    }
    this.#entries.set(key, { holder, value, size })
    own.keys.add(key)
    own.size += size
    this.#size += size
    this.#holders.set(holder, own)
    return true
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const own = this.#holders.get(entry.holder)!
    this.#entries.delete(key)
    own.keys.delete(key)
    own.size -= entry.size
    this.#size -= entry.size
    if (own.keys.size === 0) this.#holders.delete(entry.holder)
  }

  #fits(own: number, others: number): boolean {
    return own <= this.#sizeMax - others - own
  }
}
