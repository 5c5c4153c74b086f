const PLACE = 'headers/'

/** The field under which the text of a secret header is sealed. */
export function headerField(name: string): string {
  return PLACE + name.toLowerCase()
}

/** True for a field of {@link headerField}. */
export function isHeaderField(field: string): boolean {
  return field.startsWith(PLACE)
}
