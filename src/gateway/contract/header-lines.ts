/**
 * Values of a header in a block of lines that each end in CRLF, as the wire hands them over; empty when it is not there.
 * @param name in lower case
 */
export function fieldValues(lines: string, name: string): string[] {
  const values: string[] = []
  let at = 0
  while (at < lines.length) {
    const end = lines.indexOf('\r\n', at)
    const stop = end === -1 ? lines.length : end
    if (
      lines.charCodeAt(at + name.length) === 0x3a &&
      lines.slice(at, at + name.length).toLowerCase() === name
    )
      values.push(lines.slice(at + name.length + 1, stop).trim())
    at = stop + 2
  }
  return values
}

/** All values of a header as one, joined as RFC 9110 5.3 allows; undefined when it is not there. */
export function fieldValue(lines: string, name: string): string | undefined {
  const values = fieldValues(lines, name)
  return values.length === 0 ? undefined : values.join(', ')
}
