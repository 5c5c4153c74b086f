import { headerField } from '../../model/http-names.ts'

/** Where a collection fragment has the secret of a header: of the collection itself, or of one of its proxies. */
export function placeOf(owner: string, name: string): string {
  return placeAt(owner, headerField(name))
}

/** As {@link placeOf}, by the field under which the secret is sealed. */
export function placeAt(owner: string, field: string): string {
  return `${owner}:${field}`
}

/** Resource and field that a place stands for, as its secret is sealed. */
export function partsOfPlace(place: string): readonly [owner: string, field: string] {
  const at = place.indexOf(':')
  return [place.slice(0, at), place.slice(at + 1)]
}
