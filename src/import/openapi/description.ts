/** A description in the terms of OpenAPI 3.1, whatever it was read from, and the way back to the places of its source. */
import { type Plain, pointerTo } from '../../base/json/storable.ts'
import { type FieldError, Refusal } from '../../base/refusal.ts'
import { broken } from '../text/plain-data.ts'
import { lookUp, tokensOf } from './pointer.ts'

export interface Description {
  readonly document: Plain
  /**
   * Pointer into the source for a pointer into `document`: the place itself, or the nearest place around it. A missing member, to
   * which a pointer leads too, is named in both.
   */
  sourceOf(pointer: string): string
  /** Parts of the source that `document` lacks; pointers lead into the source. */
  readonly notes: readonly FieldError[]
}

/** A document that is its own source, but for members that the terms of 3.1 add. */
export function asItIs(document: Plain, source: Plain, notes: readonly FieldError[] = []): Description {
  return { document, sourceOf: sourceOf(document, (tokens) => existing(source, tokens)), notes }
}

/** {@link Description.sourceOf}, from the places that exist in the document. */
export function sourceOf(
  document: Plain,
  placeOf: (tokens: readonly string[]) => string,
): Description['sourceOf'] {
  return (pointer) => {
    const tokens = tokensOf(pointer)
    const missing = lookUp(document, tokens) === undefined ? tokens.pop() : undefined
    const place = placeOf(tokens)
    return missing === undefined ? place : pointerTo(place, missing)
  }
}

/** The pointer of the tokens as far as the document has such a place. */
export function existing(document: unknown, tokens: readonly string[]): string {
  let value = document
  for (const [depth, token] of tokens.entries()) {
    value = lookUp(value, [token])
    if (value === undefined) return pointerTo('', ...tokens.slice(0, depth))
  }
  return pointerTo('', ...tokens)
}

/** Runs a reader of `document`; a refusal of a place in it names the place in the source. */
export function withSourcePlaces<T>({ sourceOf }: Description, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const first =
      error instanceof Refusal && error.code === 'document_invalid' ? error.facts.errors?.[0] : undefined
    if (first === undefined) throw error
    throw broken(sourceOf(first.pointer), first.reason)
  }
}

/** A Paths Object (OpenAPI 3.1 section 4.8.8) that is gathered operation by operation, each with its place in the source. */
export class MadePaths {
  readonly #paths = new Map<string, Map<string, { readonly operation: Plain; readonly place: string }>>()

  has(path: string, method: string): boolean {
    return this.#paths.get(path)?.has(method) ?? false
  }

  set(path: string, method: string, operation: Plain, place: string): void {
    const item = this.#paths.get(path) ?? new Map<string, { operation: Plain; place: string }>()
    this.#paths.set(path, item.set(method, { operation, place }))
  }

  /** Paths Object. */
  toPlain(): Plain {
    return Object.fromEntries(
      [...this.#paths].map(([path, item]) => [
        path,
        Object.fromEntries([...item].map(([method, { operation }]) => [method, operation])),
      ]),
    )
  }

  /** Place in the source of the operation that a pointer leads to; of the first one of its path for a path item. */
  sourceOf(pointer: string): string {
    const [first, path = '', method = ''] = tokensOf(pointer)
    const item = first === 'paths' ? this.#paths.get(path) : undefined
    return (item?.get(method) ?? item?.values().next().value)?.place ?? ''
  }
}
