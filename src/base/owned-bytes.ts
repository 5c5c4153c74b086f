/**
 * Bytes that own their buffer.
 *
 * Node cuts small Buffers out of shared slabs of 64 KiB (`Buffer.from`, `Buffer.concat`, `Buffer.allocUnsafe`). A view that is kept
 * holds its whole slab, and a view that is posted to another thread is copied there with its whole slab. Whatever keeps bytes beyond
 * their request, or posts them to another thread, takes `OwnedBytes`. Bounds then count what is held.
 */
declare const OWNED: unique symbol

/** Bytes whose buffer is exactly as large as they are. */
export type OwnedBytes = Uint8Array<ArrayBuffer> & { readonly [OWNED]: true }

/** The same bytes in a buffer of their own. Bytes that own their buffer already are not copied. */
export function ownedBytes(bytes: Uint8Array): OwnedBytes {
  const { buffer, length } = bytes
  const isOwned = buffer instanceof ArrayBuffer && buffer.byteLength === length
  // `slice` of a Buffer is a view, so the method of Uint8Array makes the copy
  return (isOwned ? bytes : Uint8Array.prototype.slice.call(bytes)) as OwnedBytes
}

/** The bytes of a text in UTF-8, in a buffer of their own. */
export function ownedText(text: string): OwnedBytes {
  return ownedBytes(Buffer.from(text))
}
