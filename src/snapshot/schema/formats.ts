/** Formats that contracts assert ({@link CHECKED_FORMATS}): each is a simple expression or function, linear in the text. */
import { fastFormats } from 'ajv-formats/dist/formats.js'
import { CHECKED_FORMATS } from '../../model/schema-formats.ts'

/** What a format says of a value of its type; other values fit. */
export interface Format {
  readonly type: 'string' | 'number'
  readonly fits: (value: never) => boolean
}

/** Quoted names and address literals are addresses too (RFC 5321 section 4.1.2). */
const EMAIL = /^(?:"(?:[^"\\]|\\.)*"|[^\s@"]+)@(?:\[[^\s\]]+\]|[^\s@.-][^\s@]*)$/
/** Base64 in either alphabet, with or without padding and line breaks: which of them is meant differs between APIs. */
const BYTE = /^[A-Za-z0-9+/_\r\n-]*={0,2}[\r\n]*$/

const OWN: Readonly<Record<string, RegExp>> = { email: EMAIL, byte: BYTE }

export const FORMATS: ReadonlyMap<string, Format> = new Map(
  CHECKED_FORMATS.map((name): [string, Format] => [name, formatOf(OWN[name] ?? fastFormats[name])]),
)

function formatOf(given: unknown): Format {
  if (given instanceof RegExp) return { type: 'string', fits: (text: string) => given.test(text) }
  if (typeof given === 'function') return { type: 'string', fits: given as Format['fits'] }
  const { type, validate } = given as { readonly type?: 'number'; readonly validate: unknown }
  return { ...formatOf(validate), type: type ?? 'string' }
}
