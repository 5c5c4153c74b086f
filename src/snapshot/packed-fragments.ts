/**
 * All fragments of a configuration as texts in compressed pieces, which take little memory. The texts of clients are very
 * similar, so a client takes about 200 bytes. The main thread keeps this one copy for threads that start.
 *
 * 1. Pieces are in the order of their keys. Each key is in one piece, once.
 * 2. Pieces are immutable: `with` gives new fragments, which share the pieces without a changed key.
 * 3. A piece has about `PIECE_CHARS` of text, or one longer fragment.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { textHash } from '../base/json/canonical.ts'
import { type OwnedBytes, ownedBytes } from '../base/memory/bytes.ts'
import type { Fragment, FragmentKey, FragmentKind, Fragments } from './fragments.ts'

/** A piece is the unit that a thread takes at once, and that a change packs anew in about a millisecond. */
const PIECE_CHARS = 128 * 1024

/** Of the fragments of 10,000 clients it makes less than deflate does, in a fifth of the time; a higher level takes longer and saves nothing. */
const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** A whole configuration. */
export interface PackedSnapshot {
  readonly revision: number
  readonly fragments: PackedFragments
}

/** One that was kept, with what tells whether another has the same fragments. */
export interface KeptSnapshot extends PackedSnapshot {
  /** See {@link digestOf}. */
  readonly digest: string
}

/** Equal for the same fragments alone, in whatever order they come: SHA-256 of keys and hashes, base64url. */
export function digestOf(fragments: readonly Pick<SentFragment, 'key' | 'hash'>[]): string {
  return textHash(
    fragments
      .map(({ key, hash }) => `${key}\n${hash}`)
      .sort()
      .join('\n'),
  )
}

interface Piece {
  readonly first: FragmentKey
  readonly bytes: OwnedBytes
}

export class PackedFragments implements Iterable<FragmentText> {
  static readonly NONE = new PackedFragments([])
  readonly #pieces: readonly Piece[]

  private constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces
  }

  /** Pieces for {@link unpack}; in another thread too. */
  get pieces(): readonly OwnedBytes[] {
    return this.#pieces.map(({ bytes }) => bytes)
  }

  /** All, in the order of their keys. Unpacks one piece at a time. */
  *[Symbol.iterator](): Iterator<FragmentText> {
    for (const { bytes } of this.#pieces) yield* unpack(bytes)
  }

  /** Those of a kind. Unpacks the pieces that may have some. */
  *ofKind(kind: FragmentKind): Generator<FragmentText> {
    const begin = `${kind}:`
    // The sign that follows the colon
    const end = `${kind};`
    for (const [at, { first, bytes }] of this.#pieces.entries()) {
      const next = this.#pieces[at + 1]
      if (first >= end || (next !== undefined && next.first <= begin)) continue
      for (const one of unpack(bytes)) if (one.key.startsWith(begin)) yield one
    }
  }

  /** These fragments after a change. A key in both lists is put. */
  with(put: readonly SentFragment[], drop: readonly FragmentKey[] = []): PackedFragments {
    const changes = new Map<FragmentKey, SentFragment | null>(drop.map((key) => [key, null]))
    for (const one of put) changes.set(one.key, one)
    if (changes.size === 0) return this
    if (this.#pieces.length === 0) return new PackedFragments(merged([], changes))
    const byPiece = new Map<number, Map<FragmentKey, SentFragment | null>>()
    for (const [key, one] of changes) {
      const at = this.#pieceOf(key)
      const mine = byPiece.get(at)
      if (mine === undefined) byPiece.set(at, new Map([[key, one]]))
      else mine.set(key, one)
    }
    return new PackedFragments(
      this.#pieces.flatMap((piece, at) => {
        const mine = byPiece.get(at)
        return mine === undefined ? piece : merged(unpack(piece.bytes), mine)
      }),
    )
  }

  /** The same for very many changes, with a pause after each few. */
  *withPaused(
    put: readonly SentFragment[],
    drop: readonly FragmentKey[] = [],
  ): Generator<void, PackedFragments> {
    // In order, so that few pieces are packed more than once
    const packer = createPacker(yield* this.#withoutPaused([...drop].sort()))
    for (const one of [...put].sort((a, b) => (a.key < b.key ? -1 : 1))) {
      packer.add(one)
      yield
    }
    return packer.done()
  }

  *#withoutPaused(keys: readonly FragmentKey[]): Generator<void, PackedFragments> {
    let packed: PackedFragments = this
    for (let at = 0; at < keys.length; at += WAITING_MAX) {
      packed = packed.with([], keys.slice(at, at + WAITING_MAX))
      yield
    }
    return packed
  }

  /** Index of the piece that has the key, or would have it. */
  #pieceOf(key: FragmentKey): number {
    let low = 0
    let high = this.#pieces.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#pieces[middle]!.first <= key) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** Pieces of equal length of what is there after the changes. */
function merged(
  before: readonly SentFragment[],
  changes: ReadonlyMap<FragmentKey, SentFragment | null>,
): Piece[] {
  const all = before.filter(({ key }) => !changes.has(key))
  for (const one of changes.values()) if (one !== null) all.push(one)
  all.sort((a, b) => (a.key < b.key ? -1 : 1))
  const total = all.reduce((sum, { text }) => sum + text.length, 0)
  const each = total / Math.ceil(total / PIECE_CHARS)
  const pieces: Piece[] = []
  let mine: SentFragment[] = []
  let chars = 0
  for (const [at, one] of all.entries()) {
    mine.push(one)
    chars += one.text.length
    if (chars < each && at < all.length - 1) continue
    pieces.push(pack(mine))
    mine = []
    chars = 0
  }
  return pieces
}

function pack(fragments: readonly SentFragment[]): Piece {
  const lines = fragments.map(({ key, hash, text }) => `${key}\n${hash}\n${text}\n`)
  const bytes = zstdCompressSync(lines.join(''), LEVEL)
  return { first: fragments[0]!.key, bytes: ownedBytes(bytes) }
}

/** The fragments of a piece. Their strings are parts of nothing larger, which they would keep in memory. */
export function unpack(piece: Uint8Array): FragmentText[] {
  const bytes = zstdDecompressSync(piece)
  const fragments: FragmentText[] = []
  let at = 0
  const line = (): string => {
    const end = bytes.indexOf(LINE_FEED, at)
    const text = bytes.toString('utf8', at, end)
    at = end + 1
    return text
  }
  // A key was written as one
  while (at < bytes.length) fragments.push(new FragmentText(line() as FragmentKey, line(), line()))
  return fragments
}

const LINE_FEED = 10

/** Fragments that wait until they are packed together. */
const WAITING_MAX = 500

/** Packs fragments that come one after the other, so that few of them are in memory. */
export interface Packer {
  add(one: SentFragment): void
  /** What was there before, and all that were added; of one key the last. */
  done(): PackedFragments
}

export function createPacker(before: PackedFragments = PackedFragments.NONE): Packer {
  let packed = before
  let waiting: SentFragment[] = []
  let chars = 0

  function done(): PackedFragments {
    packed = packed.with(waiting)
    waiting = []
    chars = 0
    return packed
  }

  return {
    add(one) {
      waiting.push(one)
      chars += one.text.length
      if (waiting.length >= WAITING_MAX || chars >= 8 * PIECE_CHARS) done()
    },
    done,
  }
}

// A delta on its way from the store to the gateway threads. Each fragment is JSON text, because threads copy a text in one
// piece, while structured clone walks every object and takes far more memory. The main thread passes the text on as the store
// has it. A gateway thread parses each text when it links the fragment, and keeps nothing of it.

/** What a thread gets: the fragments that changed since the revision it holds, or all of them. */
export interface SnapshotDelta {
  /** Revision of the whole configuration that holds once it is applied. */
  readonly revision: number
  /** Forget everything held before. */
  readonly full: boolean
  readonly put: readonly { readonly key: FragmentKey; readonly hash: string; readonly fragment: Fragment }[]
  readonly drop: readonly FragmentKey[]
}

/** The key under which a fragment is put, replaced and dropped. */
export function keyOf(fragment: Fragment): FragmentKey {
  return `${fragment.kind}:${fragment.id}`
}

/** A fragment as text that can be read as data. */
export class FragmentText {
  readonly key: FragmentKey
  /** Of the fragment as canonical JSON; of one with filled secrets, of what was filled in. */
  readonly hash: string
  /** The fragment as JSON. It has no line break, because JSON writes those in strings as escapes. */
  readonly text: string

  constructor(key: FragmentKey, hash: string, text: string) {
    this.key = key
    this.hash = hash
    this.text = text
  }

  /** Parsed anew each time that it is read. */
  get fragment(): Fragment {
    // A compiler of this program has written it; what comes from disk was compared with its hash.
    return JSON.parse(this.text) as Fragment
  }
}

/** A {@link SnapshotDelta} whose fragments are parsed when they are asked for, and not before. */
export interface TextDelta extends Omit<SnapshotDelta, 'put'> {
  readonly put: readonly FragmentText[]
}

/** As structured clone leaves a {@link FragmentText}. */
export type SentFragment = Pick<FragmentText, 'key' | 'hash' | 'text'>

/** As {@link SnapshotDelta}. */
export interface SentDelta extends Omit<SnapshotDelta, 'put'> {
  readonly put: readonly SentFragment[]
}

/** The delta again, in the thread that got it. */
export function fromSent(sent: SentDelta): TextDelta {
  return { ...sent, put: sent.put.map(({ key, hash, text }) => new FragmentText(key, hash, text)) }
}

/** Kinds of fragments with secrets that are read elsewhere, and so must be parsed on their way. */
type Referring = {
  [K in FragmentKind]: 'references' extends keyof Fragments[K] ? K : never
}[FragmentKind]

const REFERRING: Readonly<Record<Referring, true>> = { collection: true, credential: true }

/** Exactly the kinds whose type has `references`: another one is an error of types here. */
export const REFERRING_KINDS = Object.keys(REFERRING) as readonly Referring[]

/** Whether a fragment of that key may have references. The key begins with the kind. */
export function mayRefer(key: FragmentKey): boolean {
  return Object.hasOwn(REFERRING, key.slice(0, key.indexOf(':')))
}
