/** A header line. Throws where a name or value could end the line or the head. */
export function lineOf(name: string, value: string): string {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) throw new RangeError(`"${name}" is no header name`)
  if (!/^[\t -~]*$/.test(value))
    throw new RangeError(`the value of header ${name} has characters that cannot be sent`)
  return `${name}: ${value}\r\n`
}
