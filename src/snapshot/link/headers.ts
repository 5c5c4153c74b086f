import { headerField } from '../../model/http-names.ts'

/** A header line. Throws where a name or value could end the line or the head. */
export function lineOf(name: string, value: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new RangeError(`"${name}" is no header name`)
  if (!/^[\t -~]*$/.test(value))
    throw new RangeError(`the value of header ${name} has characters that cannot be sent`)
  return `${name}: ${value}\r\n`
}

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
